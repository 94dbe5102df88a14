// Classifies images with the models of this bundle.
#ifndef EDGEFFNET_CLASSIFIER_H_
#define EDGEFFNET_CLASSIFIER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace edgeffnet {

// One line that names the file and what is wrong with it.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// 8-bit RGB, row by row from the top.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;
};

struct Class {
  std::size_t index;
  float probability;
};

// A binary PPM (P6) with 8 bits a channel; Error for any other file.
Image ReadPpm(const std::string& path);

// The class names, one a line, in the order of the model's outputs.
std::vector<std::string> ReadLabels(const std::string& path);

// The image cropped and resized by the contract: resolution x resolution x 3.
std::vector<std::uint8_t> Preprocess(const Image& image);

// The `count` most probable classes, best first.
std::vector<Class> Best(const std::vector<float>& probabilities, std::size_t count);

class Backend;

// A model in its runtime: a .tflite in LiteRT, an OpenVINO .xml in OpenVINO.
// One object serves one thread at a time.
class Classifier {
 public:
  // Error where the model cannot be loaded, or is none of this bundle's.
  explicit Classifier(const std::string& model, int threads = 1);
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  std::size_t classes() const;

  // The probability of each class, from what Preprocess returned.
  std::vector<float> Run(const std::vector<std::uint8_t>& pixels);

  // The bytes that the model itself returned last: float32, or int8 from an int8 model.
  const std::vector<std::uint8_t>& raw() const { return raw_; }

 private:
  std::unique_ptr<Backend> backend_;
  bool logits_ = false;
  std::vector<std::uint8_t> raw_;
};

}  // namespace edgeffnet

#endif  // EDGEFFNET_CLASSIFIER_H_
