// A model in LiteRT, versions 2.1 to 2.3.
#ifndef EDGEFFNET_LITERT_BACKEND_H_
#define EDGEFFNET_LITERT_BACKEND_H_

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "backend.h"
#include "classifier.h"
#include "litert_c.h"

namespace edgeffnet {

// A handle of LiteRT's that is given back.
template <typename Handle, void (*kDestroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  ~Owned() {
    if (handle_ != nullptr) kDestroy(handle_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  Handle get() const { return handle_; }
  Handle* place() { return &handle_; }

 private:
  Handle handle_ = nullptr;
};

template <typename Function>
Function Lookup(const char* name) {
  void* found = dlsym(RTLD_DEFAULT, name);
  Function function = nullptr;
  static_assert(sizeof(found) == sizeof(function), "functions and data have one address space");
  std::memcpy(&function, &found, sizeof(found));
  return function;
}

class LiteRtBackend : public Backend {
 public:
  LiteRtBackend(const std::string& path, int threads) : path_(path) {
    // Of its own accord it tells of every step, and tries GPUs that nobody asked for.
    LiteRtEnvOption quiet[2] = {};
    quiet[0].tag = kLiteRtRegisterAccelerators;
    quiet[0].any = {kLiteRtAnyInt, kLiteRtCpu};
    quiet[1].tag = kLiteRtLeastSeverity;
    quiet[1].any = {kLiteRtAnyInt, kLiteRtSeverityError};
    Check(LiteRtCreateEnvironment(2, quiet, environment_.place()), "does not start");
    Check(Load(), "cannot read the model");
    Describe();
    Owned<LiteRtOptions, LiteRtDestroyOptions> options;
    Check(LiteRtCreateOptions(options.place()), "has no options");
    Check(LiteRtSetOptionsHardwareAccelerators(options.get(), kLiteRtCpu), "has no CPU");
    SetThreads(options.get(), threads);
    Check(LiteRtCreateCompiledModel(environment_.get(), model_.get(), options.get(),
                                    compiled_.place()),
          "cannot prepare the model");
    LiteRtTensorBufferRequirements needed = nullptr;
    Check(LiteRtGetCompiledModelInputBufferRequirements(compiled_.get(), 0, 0, &needed),
          "tells of no input");
    Check(LiteRtCreateManagedTensorBufferFromRequirements(environment_.get(), &input_type_, needed,
                                                          input_.place()),
          "has no room for the input");
    Check(LiteRtGetCompiledModelOutputBufferRequirements(compiled_.get(), 0, 0, &needed),
          "tells of no output");
    Check(LiteRtCreateManagedTensorBufferFromRequirements(environment_.get(), &output_type_, needed,
                                                          output_.place()),
          "has no room for the output");
  }

  void Run(const std::vector<std::uint8_t>& input, std::vector<std::uint8_t>* output) override {
    void* memory = nullptr;
    Check(LiteRtLockTensorBuffer(input_.get(), &memory, kLiteRtLockWrite), "keeps its input");
    std::memcpy(memory, input.data(), input.size());
    Check(LiteRtUnlockTensorBuffer(input_.get()), "keeps its input");
    LiteRtTensorBuffer inputs[] = {input_.get()};
    LiteRtTensorBuffer outputs[] = {output_.get()};
    Check(LiteRtRunCompiledModel(compiled_.get(), 0, 1, inputs, 1, outputs), "cannot run it");
    Check(LiteRtLockTensorBuffer(output_.get(), &memory, kLiteRtLockRead), "keeps its output");
    output->resize(gives.bytes());
    std::memcpy(output->data(), memory, output->size());
    Check(LiteRtUnlockTensorBuffer(output_.get()), "keeps its output");
  }

 private:
  void Check(LiteRtStatus status, const char* otherwise) const {
    if (status == 0) return;
    throw Error(path_ + ": LiteRT " + otherwise + " (status " + std::to_string(status) + ")");
  }

  LiteRtStatus Load() {
    const char* name = "LiteRtCreateModelFromFile";
    if (Lookup<void*>("LiteRtCreateModelFromFd") != nullptr) {
      return Lookup<LiteRtCreateModelFromFileSince22>(name)(environment_.get(), path_.c_str(),
                                                            model_.place());
    }
    return Lookup<LiteRtCreateModelFromFileUpTo21>(name)(path_.c_str(), model_.place());
  }

  void Describe() {
    LiteRtSubgraph graph = nullptr;
    LiteRtTensor tensor = nullptr;
    Check(LiteRtGetModelSubgraph(model_.get(), 0, &graph), "finds no graph");
    Check(LiteRtGetSubgraphInput(graph, 0, &tensor), "finds no input");
    takes = Described(tensor, &input_type_);
    Check(LiteRtGetSubgraphOutput(graph, 0, &tensor), "finds no output");
    gives = Described(tensor, &output_type_);
  }

  Tensor Described(LiteRtTensor tensor, LiteRtRankedTensorType* type) const {
    Check(LiteRtGetRankedTensorType(tensor, type), "finds a tensor without shape");
    Tensor made;
    made.count = 1;
    for (unsigned int axis = 0; axis < type->rank; ++axis) {
      if (type->dimensions[axis] < 1)
        throw Error(path_ + ": a tensor of the model has no fixed shape");
      made.count *= static_cast<std::size_t>(type->dimensions[axis]);
    }
    switch (type->element_type) {
      case kLiteRtFloat32:
        return made;
      case kLiteRtUInt8:
        made.element = Element::kUint8;
        return made;
      case kLiteRtInt8: {
        LiteRtQuantizationPerTensor quantization{};
        Check(LiteRtGetPerTensorQuantization(tensor, &quantization), "finds no scale");
        made.element = Element::kInt8;
        made.scale = quantization.scale;
        made.zero_point = static_cast<int>(quantization.zero_point);
        return made;
      }
      default:
        throw Error(path_ + ": a tensor of the model is neither float32, uint8 nor int8");
    }
  }

  void SetThreads(LiteRtOptions options, int threads) const {
    LiteRtOpaqueOptions made = nullptr;
    const auto create = Lookup<LiteRtCreateCpuOptionsUpTo212>("LiteRtCreateCpuOptions");
    const auto find = Lookup<LiteRtFindCpuOptionsUpTo212>("LiteRtFindCpuOptions");
    const auto set = Lookup<LiteRtSetCpuOptionsNumThreadUpTo212>("LiteRtSetCpuOptionsNumThread");
    if (create != nullptr && find != nullptr && set != nullptr) {
      LiteRtCpuOptions found = nullptr;
      Check(create(&made), "has no options");
      Check(find(made, &found), "has no options");
      Check(set(found, threads), "takes no threads");
    } else {
      const std::string said = "num_threads = " + std::to_string(threads) + "\n";
      char* payload = strdup(said.c_str());
      Check(LiteRtCreateOpaqueOptions("xnnpack", payload, std::free, &made), "has no options");
    }
    Check(LiteRtAddOpaqueOptions(options, made), "takes no threads");
  }

  std::string path_;
  LiteRtRankedTensorType input_type_{};
  LiteRtRankedTensorType output_type_{};
  Owned<LiteRtEnvironment, LiteRtDestroyEnvironment> environment_;
  Owned<LiteRtModel, LiteRtDestroyModel> model_;
  Owned<LiteRtCompiledModel, LiteRtDestroyCompiledModel> compiled_;
  Owned<LiteRtTensorBuffer, LiteRtDestroyTensorBuffer> input_;
  Owned<LiteRtTensorBuffer, LiteRtDestroyTensorBuffer> output_;
};

}  // namespace edgeffnet

#endif  // EDGEFFNET_LITERT_BACKEND_H_
