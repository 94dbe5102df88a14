#include "classifier.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <utility>

#include "backend.h"
#include "contract.h"
#include "resize.h"

#ifdef EDGEFFNET_LITERT
#include "litert_backend.h"
#endif
#ifdef EDGEFFNET_OPENVINO
#include <openvino/openvino.hpp>
#endif

namespace edgeffnet {
namespace {

// The next number of a PPM's header; -1 where there is none.
long Number(std::istream& file) {
  int next = file.get();
  while (next == '#' || std::isspace(next)) {
    if (next == '#') file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    next = file.get();
  }
  long found = -1;
  for (; std::isdigit(next) && found < 1000000; next = file.get()) {
    found = std::max(found, 0L) * 10 + (next - '0');
  }
  return std::isspace(next) ? found : -1;
}

std::string FileName(const std::string& path) {
  const std::size_t slash = path.find_last_of("/\\");
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::streamoff SizeOfFile(std::istream& file) {
  file.seekg(0, std::ios::end);
  return file.tellg();
}

// What the contract says of the model file; runtimes may crash on one that was cut short.
const contract::Model& InContract(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": no such model");
  const std::string name = FileName(path);
  for (const contract::Model& model : contract::kModels) {
    if (name != model.file) continue;
    if (SizeOfFile(file) == model.bytes) return model;
    throw Error(path + ": not the model that contract.h describes, which has " +
                std::to_string(model.bytes) + " bytes: truncated, or of another bundle");
  }
  throw Error(path + ": contract.h says nothing of a model of this name");
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// What the contract says a model of that input takes.
Bytes Encoded(const Bytes& pixels, Element element) {
  if (element == Element::kUint8) return pixels;
  if (element == Element::kInt8) {
    Bytes made;
    for (std::uint8_t pixel : pixels) made.push_back(static_cast<std::uint8_t>(pixel ^ 0x80));
    return made;
  }
  std::vector<float> values;
  for (std::size_t at = 0; at < pixels.size(); ++at) {
    const std::size_t channel = at % kChannels;
    values.push_back((static_cast<float>(pixels[at]) - contract::kMean[channel]) /
                     contract::kStd[channel]);
  }
  Bytes made(values.size() * sizeof(float));
  std::memcpy(made.data(), values.data(), made.size());
  return made;
}

#ifdef EDGEFFNET_OPENVINO

class OpenVinoBackend : public Backend {
 public:
  OpenVinoBackend(const std::string& path, int threads) {
    try {
      ov::CompiledModel compiled = ov::Core().compile_model(
          path, "CPU", ov::inference_num_threads(threads), ov::num_streams(1),
          ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
          // By default, processors with bfloat16 compute a float model in it.
          ov::hint::inference_precision(ov::element::f32));
      request_ = compiled.create_infer_request();
    } catch (const ov::Exception&) {
      throw Error(path + ": OpenVINO cannot load the model, or the .bin beside it");
    }
    takes = Described(path, request_.get_input_tensor());
    gives = Described(path, request_.get_output_tensor());
  }

  void Run(const Bytes& input, Bytes* output) override {
    std::memcpy(request_.get_input_tensor().data(), input.data(), input.size());
    request_.infer();
    output->resize(gives.bytes());
    std::memcpy(output->data(), request_.get_output_tensor().data(), output->size());
  }

 private:
  static Tensor Described(const std::string& path, const ov::Tensor& tensor) {
    Tensor made;
    made.count = tensor.get_size();
    if (tensor.get_element_type() == ov::element::u8) {
      made.element = Element::kUint8;
    } else if (tensor.get_element_type() != ov::element::f32) {
      throw Error(path + ": a tensor of the model is neither float32 nor uint8");
    }
    return made;
  }

  ov::InferRequest request_;
};

#endif  // EDGEFFNET_OPENVINO

std::unique_ptr<Backend> Loaded(const std::string& path, int threads) {
#ifdef EDGEFFNET_LITERT
  if (EndsWith(path, ".tflite")) return std::make_unique<LiteRtBackend>(path, threads);
#endif
#ifdef EDGEFFNET_OPENVINO
  if (EndsWith(path, ".xml")) return std::make_unique<OpenVinoBackend>(path, threads);
#endif
  static_cast<void>(threads);
  if (EndsWith(path, ".tflite")) throw Error(path + ": this program was built without LiteRT");
  if (EndsWith(path, ".xml")) throw Error(path + ": this program was built without OpenVINO");
  throw Error(path + ": neither a .tflite nor an OpenVINO .xml");
}

}  // namespace

Image ReadPpm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be opened");
  char magic[2] = {};
  file.read(magic, sizeof(magic));
  if (magic[0] != 'P' || magic[1] != '6') throw Error(path + ": not a binary PPM (P6)");
  const long width = Number(file);
  const long height = Number(file);
  const long largest = Number(file);
  if (width < 1 || height < 1 || largest < 1) throw Error(path + ": its PPM header is damaged");
  if (largest != 255)
    throw Error(path + ": its pixels are not of 8 bits (its largest value is not 255)");
  if (width < contract::kMinimumSide || height < contract::kMinimumSide) {
    throw Error(path + ": " + std::to_string(width) + "x" + std::to_string(height) +
                " pixels is too small (at least " + std::to_string(contract::kMinimumSide) + ")");
  }
  const std::streamoff start = file.tellg();
  const std::streamoff held = SizeOfFile(file) - start;
  const std::streamoff wanted = static_cast<std::streamoff>(width) * height * kChannels;
  if (held < wanted) {
    throw Error(path + ": truncated, " + std::to_string(held) + " of " + std::to_string(wanted) +
                " bytes of pixels");
  }
  Image image{static_cast<int>(width), static_cast<int>(height),
              Bytes(static_cast<std::size_t>(wanted))};
  file.seekg(start);
  file.read(reinterpret_cast<char*>(image.pixels.data()), wanted);
  if (!file) throw Error(path + ": cannot be read");
  return image;
}

std::vector<std::string> ReadLabels(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be opened");
  std::vector<std::string> names;
  std::string line;
  while (std::getline(file, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    names.push_back(line);
  }
  return names;
}

Bytes Preprocess(const Image& image) {
  const double side = std::min(image.width, image.height) * contract::kCrop;
  const double left = (image.width - side) / 2;
  const double top = (image.height - side) / 2;
  const Box box{static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + side),
                static_cast<float>(top + side)};
  Bytes pixels = contract::kInterpolation == Interpolation::kNearest
                     ? ResizeNearest(image, box, contract::kResolution)
                     : ResizeSmooth(image, box, contract::kResolution, contract::kInterpolation);
  if (contract::kBgr) {
    for (std::size_t at = 0; at < pixels.size(); at += kChannels)
      std::swap(pixels[at], pixels[at + 2]);
  }
  return pixels;
}

std::vector<Class> Best(const std::vector<float>& probabilities, std::size_t count) {
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t one, std::size_t other) {
    return probabilities[one] > probabilities[other];
  });
  order.resize(std::min(count, order.size()));
  std::vector<Class> best;
  for (std::size_t index : order) best.push_back({index, probabilities[index]});
  return best;
}

Classifier::Classifier(const std::string& model, int threads) {
  logits_ = InContract(model).output == contract::Output::kLogits;
  backend_ = Loaded(model, threads);
  constexpr std::size_t kPixels =
      static_cast<std::size_t>(contract::kResolution) * contract::kResolution * kChannels;
  if (backend_->takes.count != kPixels) {
    throw Error(model + ": its input is of another size than contract.h says");
  }
}

Classifier::~Classifier() = default;

std::size_t Classifier::classes() const { return backend_->gives.count; }

std::vector<float> Classifier::Run(const Bytes& pixels) {
  backend_->Run(Encoded(pixels, backend_->takes.element), &raw_);
  const Tensor& output = backend_->gives;
  std::vector<float> scores(output.count);
  if (output.element == Element::kFloat32) {
    std::memcpy(scores.data(), raw_.data(), raw_.size());
  } else {
    for (std::size_t index = 0; index < scores.size(); ++index) {
      const int value = static_cast<std::int8_t>(raw_[index]);
      scores[index] = static_cast<float>(value - output.zero_point) * output.scale;
    }
  }
  if (!logits_) return scores;
  const float largest = *std::max_element(scores.begin(), scores.end());
  float total = 0.0F;
  for (float& score : scores) total += score = std::exp(score - largest);
  for (float& score : scores) score /= total;
  return scores;
}

}  // namespace edgeffnet
