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

#ifdef EDGEFFNET_LITERT
#include "litert_backend.h"
#endif
#ifdef EDGEFFNET_OPENVINO
#include <openvino/openvino.hpp>
#endif

namespace edgeffnet {
namespace {

using contract::Interpolation;
using Bytes = std::vector<std::uint8_t>;

constexpr int kChannels = 3;

// Images are resized to the bit as Pillow does it: weights are integers of this many fractional
// bits, and sums are rounded to 8 bits after each pass.
constexpr int kFractionBits = 22;
constexpr double kPi = 3.14159265358979323846;

double Sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * kPi) / (x * kPi); }

// How far the kernel reaches to either side.
double Reach(Interpolation kind) {
  switch (kind) {
    case Interpolation::kBilinear:
      return 1.0;
    case Interpolation::kBicubic:
      return 2.0;
    default:
      return 3.0;
  }
}

double Kernel(Interpolation kind, double x) {
  const double far = std::fabs(x);
  if (far >= Reach(kind)) return 0.0;
  switch (kind) {
    case Interpolation::kBilinear:
      return 1.0 - far;
    case Interpolation::kBicubic:
      // Keys' cubic with a = -1/2.
      if (far < 1.0) return (1.5 * far - 2.5) * far * far + 1.0;
      return (((far - 5.0) * far + 8.0) * far - 4.0) * -0.5;
    default:
      return Sinc(x) * Sinc(x / 3.0);
  }
}

// The samples that one output is made of.
struct Window {
  int first;
  std::vector<std::int32_t> weights;
};

// The windows of `outputs` samples that divide `from` to `to` of a line of `size` evenly.
std::vector<Window> Windows(int size, float from, float to, int outputs, Interpolation kind) {
  const double step = static_cast<double>(to - from) / outputs;
  const double stretch = std::max(step, 1.0);
  const double reach = Reach(kind) * stretch;
  std::vector<Window> made;
  for (int output = 0; output < outputs; ++output) {
    const double centre = from + (output + 0.5) * step;
    const int first = std::max(static_cast<int>(centre - reach + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + reach + 0.5), size);
    std::vector<double> exact;
    double total = 0.0;
    for (int sample = first; sample < end; ++sample) {
      exact.push_back(Kernel(kind, (sample - centre + 0.5) * (1.0 / stretch)));
      total += exact.back();
    }
    Window window{first, {}};
    for (double weight : exact) {
      const double scaled = (total == 0.0 ? weight : weight / total) * (1 << kFractionBits);
      window.weights.push_back(static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
    made.push_back(std::move(window));
  }
  return made;
}

// The weighted sum of a window's samples, `stride` bytes apart.
std::uint8_t Sum(const Window& window, const std::uint8_t* samples, std::size_t stride) {
  std::int32_t sum = 1 << (kFractionBits - 1);
  for (std::int32_t weight : window.weights) {
    sum += weight * *samples;
    samples += stride;
  }
  return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

// The source of each of `outputs` nearest neighbours.
std::vector<int> Nearest(int size, float from, float to, int outputs) {
  const double step = static_cast<double>(to - from) / outputs;
  double position = from + step * 0.5;
  std::vector<int> made;
  for (int output = 0; output < outputs; ++output, position += step) {
    made.push_back(std::clamp(static_cast<int>(position), 0, size - 1));
  }
  return made;
}

// Left, top, right and bottom of what is kept of an image.
struct Box {
  float left, top, right, bottom;
};

Bytes ResizeNearest(const Image& image, const Box& box, int side) {
  const std::vector<int> columns = Nearest(image.width, box.left, box.right, side);
  const std::vector<int> rows = Nearest(image.height, box.top, box.bottom, side);
  Bytes made;
  for (int row : rows) {
    for (int column : columns) {
      const std::size_t at = (static_cast<std::size_t>(row) * image.width + column) * kChannels;
      made.insert(made.end(), &image.pixels[at], &image.pixels[at] + kChannels);
    }
  }
  return made;
}

Bytes ResizeSmooth(const Image& image, const Box& box, int side, Interpolation kind) {
  const std::vector<Window> columns = Windows(image.width, box.left, box.right, side, kind);
  std::vector<Window> rows = Windows(image.height, box.top, box.bottom, side, kind);
  const int first = rows.front().first;
  const int end = rows.back().first + static_cast<int>(rows.back().weights.size());
  const std::size_t line = static_cast<std::size_t>(side) * kChannels;
  Bytes narrowed(static_cast<std::size_t>(end - first) * line);
  std::uint8_t* put = narrowed.data();
  for (int row = first; row < end; ++row) {
    const std::size_t start = static_cast<std::size_t>(row) * image.width * kChannels;
    for (const Window& window : columns) {
      for (int channel = 0; channel < kChannels; ++channel) {
        const std::size_t at = start + static_cast<std::size_t>(window.first) * kChannels + channel;
        *put++ = Sum(window, &image.pixels[at], kChannels);
      }
    }
  }
  Bytes made(static_cast<std::size_t>(side) * line);
  put = made.data();
  for (const Window& window : rows) {
    const std::uint8_t* top = &narrowed[static_cast<std::size_t>(window.first - first) * line];
    for (std::size_t at = 0; at < line; ++at) *put++ = Sum(window, top + at, line);
  }
  return made;
}

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

const contract::Model& InContract(const std::string& path) {
  const std::string name = FileName(path);
  for (const contract::Model& model : contract::kModels) {
    if (name == model.file) return model;
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
  file.seekg(0, std::ios::end);
  const std::streamoff held = file.tellg() - start;
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
  if (!std::ifstream(model)) throw Error(model + ": no such model");
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
