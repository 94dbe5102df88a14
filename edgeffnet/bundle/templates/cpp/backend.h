// What a runtime does for a classifier.
#ifndef EDGEFFNET_BACKEND_H_
#define EDGEFFNET_BACKEND_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeffnet {

enum class Element { kUint8, kInt8, kFloat32 };

inline std::size_t SizeOf(Element element) {
  return element == Element::kFloat32 ? sizeof(float) : 1;
}

// A tensor's type, its number of elements, and what its integers stand for.
struct Tensor {
  Element element = Element::kFloat32;
  std::size_t count = 0;
  float scale = 1.0F;
  int zero_point = 0;

  std::size_t bytes() const { return count * SizeOf(element); }
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual void Run(const std::vector<std::uint8_t>& input, std::vector<std::uint8_t>* output) = 0;

  Tensor takes;
  Tensor gives;
};

}  // namespace edgeffnet

#endif  // EDGEFFNET_BACKEND_H_
