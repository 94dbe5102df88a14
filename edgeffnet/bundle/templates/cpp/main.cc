// Tells what images show: classify MODEL IMAGE.ppm...
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "classifier.h"

namespace {

constexpr char kUsage[] =
    "usage: classify MODEL IMAGE.ppm... [--top N] [--threads N] [--labels FILE]\n"
    "                [--pixels FILE] [--outputs FILE]\n"
    "--labels is labels.txt of the model's bundle by default; --pixels and --outputs\n"
    "write what was fed to the model before its own encoding, and what it returned.\n";

struct Options {
  std::string model;
  std::vector<std::string> images;
  int top = 5;
  int threads = 1;
  std::string labels;
  std::string pixels;
  std::string outputs;
};

class Usage : public edgeffnet::Error {
  using edgeffnet::Error::Error;
};

int Count(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 1 || value > 100000) {
    throw Usage(option + ": " + text + " is not a number from 1 to 100000");
  }
  return static_cast<int>(value);
}

Options Parse(const std::vector<std::string>& words) {
  Options made;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word.compare(0, 2, "--") != 0) {
      if (made.model.empty()) {
        made.model = word;
      } else {
        made.images.push_back(word);
      }
      continue;
    }
    if (++at == words.size()) throw Usage(word + " lacks its value");
    const std::string& value = words[at];
    if (word == "--top") {
      made.top = Count(word, value);
    } else if (word == "--threads") {
      made.threads = Count(word, value);
    } else if (word == "--labels") {
      made.labels = value;
    } else if (word == "--pixels") {
      made.pixels = value;
    } else if (word == "--outputs") {
      made.outputs = value;
    } else {
      throw Usage(word + " is no option");
    }
  }
  if (made.images.empty()) throw Usage("name a model and at least one image");
  return made;
}

// labels.txt beside the model or in the folder above.
std::string LabelsOf(const std::string& model) {
  const std::size_t slash = model.find_last_of("/\\");
  const std::string folder = slash == std::string::npos ? "." : model.substr(0, slash);
  const std::string beside = folder + "/labels.txt";
  return std::ifstream(beside) ? beside : folder + "/../labels.txt";
}

void Append(const std::string& path, const std::vector<std::uint8_t>& bytes, bool anew) {
  if (path.empty()) return;
  std::ofstream file(path, std::ios::binary | (anew ? std::ios::trunc : std::ios::app));
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw edgeffnet::Error(path + ": cannot be written");
}

void Classify(const Options& options) {
  edgeffnet::Classifier classifier(options.model, options.threads);
  const std::string path = options.labels.empty() ? LabelsOf(options.model) : options.labels;
  const std::vector<std::string> labels = edgeffnet::ReadLabels(path);
  if (labels.size() != classifier.classes()) {
    throw edgeffnet::Error(path + ": " + std::to_string(labels.size()) + " names for " +
                           std::to_string(classifier.classes()) + " classes");
  }
  bool first = true;
  for (const std::string& image : options.images) {
    const std::vector<std::uint8_t> pixels = edgeffnet::Preprocess(edgeffnet::ReadPpm(image));
    const std::vector<float> probabilities = classifier.Run(pixels);
    Append(options.pixels, pixels, first);
    Append(options.outputs, classifier.raw(), first);
    first = false;
    std::printf("%s\n", image.c_str());
    for (const edgeffnet::Class& best :
         edgeffnet::Best(probabilities, static_cast<std::size_t>(options.top))) {
      std::printf("  %5.1f%%  %s\n", 100.0 * static_cast<double>(best.probability),
                  labels[best.index].c_str());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Classify(Parse(std::vector<std::string>(argv + 1, argv + argc)));
    return 0;
  } catch (const Usage& error) {
    std::cerr << "classify: " << error.what() << "\n" << kUsage;
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "classify: " << error.what() << "\n";
    return 1;
  }
}
