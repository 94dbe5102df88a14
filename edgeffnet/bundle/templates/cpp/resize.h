// Resizing to the bit as Pillow does it.
#ifndef EDGEFFNET_RESIZE_H_
#define EDGEFFNET_RESIZE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "classifier.h"
#include "contract.h"

namespace edgeffnet {

using contract::Interpolation;
using Bytes = std::vector<std::uint8_t>;

constexpr int kChannels = 3;

// Weights are integers of this many fractional bits; sums are rounded to 8 bits after each pass.
constexpr int kFractionBits = 22;
constexpr double kPi = 3.14159265358979323846;

inline double Sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * kPi) / (x * kPi); }

// How far the kernel reaches to either side.
inline double Reach(Interpolation kind) {
  switch (kind) {
    case Interpolation::kBilinear:
      return 1.0;
    case Interpolation::kBicubic:
      return 2.0;
    default:
      return 3.0;
  }
}

inline double Kernel(Interpolation kind, double x) {
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
inline std::vector<Window> Windows(int size, float from, float to, int outputs,
                                   Interpolation kind) {
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
inline std::uint8_t Sum(const Window& window, const std::uint8_t* samples, std::size_t stride) {
  std::int32_t sum = 1 << (kFractionBits - 1);
  for (std::int32_t weight : window.weights) {
    sum += weight * *samples;
    samples += stride;
  }
  return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

// The source of each of `outputs` nearest neighbours.
inline std::vector<int> Nearest(int size, float from, float to, int outputs) {
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

inline Bytes ResizeNearest(const Image& image, const Box& box, int side) {
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

// A part of an image, from its pixel (left, top) on.
struct Patch {
  int left, top, width, height;
  Bytes pixels;

  std::size_t line() const { return static_cast<std::size_t>(width) * kChannels; }
};

inline int End(const Window& window) {
  return window.first + static_cast<int>(window.weights.size());
}

// All that the windows look at.
inline Patch Seen(const Image& image, const std::vector<Window>& columns,
                  const std::vector<Window>& rows) {
  Patch made{columns.front().first, rows.front().first, 0, 0, {}};
  made.width = End(columns.back()) - made.left;
  made.height = End(rows.back()) - made.top;
  for (int row = made.top; row < made.top + made.height; ++row) {
    const std::size_t at = (static_cast<std::size_t>(row) * image.width + made.left) * kChannels;
    const std::uint8_t* start = &image.pixels[at];
    made.pixels.insert(made.pixels.end(), start, start + made.line());
  }
  return made;
}

inline Patch Across(const Patch& patch, const std::vector<Window>& columns) {
  Patch made{0, patch.top, static_cast<int>(columns.size()), patch.height, {}};
  for (int row = 0; row < patch.height; ++row) {
    const std::uint8_t* start = &patch.pixels[static_cast<std::size_t>(row) * patch.line()];
    for (const Window& window : columns) {
      const std::uint8_t* samples =
          start + static_cast<std::size_t>(window.first - patch.left) * kChannels;
      for (int channel = 0; channel < kChannels; ++channel) {
        made.pixels.push_back(Sum(window, samples + channel, kChannels));
      }
    }
  }
  return made;
}

inline Patch Down(const Patch& patch, const std::vector<Window>& rows) {
  Patch made{patch.left, 0, patch.width, static_cast<int>(rows.size()), {}};
  const std::size_t line = patch.line();
  for (const Window& window : rows) {
    const std::uint8_t* start =
        &patch.pixels[static_cast<std::size_t>(window.first - patch.top) * line];
    for (std::size_t at = 0; at < line; ++at) {
      made.pixels.push_back(Sum(window, start + at, line));
    }
  }
  return made;
}

// Rows, then columns: the order of the passes shows in the last bit.
inline Bytes ResizeSmooth(const Image& image, const Box& box, int side, Interpolation kind) {
  const std::vector<Window> columns = Windows(image.width, box.left, box.right, side, kind);
  const std::vector<Window> rows = Windows(image.height, box.top, box.bottom, side, kind);
  const Patch seen = Seen(image, columns, rows);
  return Down(Across(seen, columns), rows).pixels;
}

}  // namespace edgeffnet

#endif  // EDGEFFNET_RESIZE_H_
