// The functions of libLiteRt.so that are used here; its Python wheel ships no headers.
#ifndef EDGEFFNET_LITERT_C_H_
#define EDGEFFNET_LITERT_C_H_

#include <cstddef>
#include <cstdint>

extern "C" {

typedef struct LiteRtEnvironmentT* LiteRtEnvironment;
typedef struct LiteRtModelT* LiteRtModel;
typedef struct LiteRtOptionsT* LiteRtOptions;
typedef struct LiteRtOpaqueOptionsT* LiteRtOpaqueOptions;
typedef struct LiteRtCpuOptionsT* LiteRtCpuOptions;
typedef struct LiteRtCompiledModelT* LiteRtCompiledModel;
typedef struct LiteRtSubgraphT* LiteRtSubgraph;
typedef struct LiteRtTensorT* LiteRtTensor;
typedef struct LiteRtTensorBufferT* LiteRtTensorBuffer;
typedef struct LiteRtTensorBufferRequirementsT* LiteRtTensorBufferRequirements;

typedef int LiteRtStatus;  // 0 is success

enum { kLiteRtFloat32 = 1, kLiteRtUInt8 = 3, kLiteRtInt8 = 9 };
enum { kLiteRtCpu = 1 };
enum { kLiteRtLockRead = 0, kLiteRtLockWrite = 1 };
enum { kLiteRtRegisterAccelerators = 24, kLiteRtLeastSeverity = 25 };
enum { kLiteRtAnyInt = 2 };
enum { kLiteRtSeverityError = 3 };

typedef struct {
  int tag;
  struct {
    int type;
    std::int64_t value;
  } any;
} LiteRtEnvOption;

typedef struct {
  int element_type;
  unsigned int rank : 7;
  unsigned int has_strides : 1;
  std::int32_t dimensions[8];
  std::uint32_t strides[8];
} LiteRtRankedTensorType;

typedef struct {
  float scale;
  std::int64_t zero_point;
} LiteRtQuantizationPerTensor;

LiteRtStatus LiteRtCreateEnvironment(int count, const LiteRtEnvOption* options,
                                     LiteRtEnvironment* made);
void LiteRtDestroyEnvironment(LiteRtEnvironment environment);
void LiteRtDestroyModel(LiteRtModel model);
LiteRtStatus LiteRtGetModelSubgraph(LiteRtModel model, std::size_t index, LiteRtSubgraph* subgraph);
LiteRtStatus LiteRtGetSubgraphInput(LiteRtSubgraph subgraph, std::size_t index,
                                    LiteRtTensor* tensor);
LiteRtStatus LiteRtGetSubgraphOutput(LiteRtSubgraph subgraph, std::size_t index,
                                     LiteRtTensor* tensor);
LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensor tensor, LiteRtRankedTensorType* type);
LiteRtStatus LiteRtGetPerTensorQuantization(LiteRtTensor tensor,
                                            LiteRtQuantizationPerTensor* quantization);
LiteRtStatus LiteRtCreateOptions(LiteRtOptions* made);
void LiteRtDestroyOptions(LiteRtOptions options);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options, int accelerators);
LiteRtStatus LiteRtAddOpaqueOptions(LiteRtOptions options, LiteRtOpaqueOptions added);
LiteRtStatus LiteRtCreateOpaqueOptions(const char* identifier, void* payload, void (*free)(void*),
                                       LiteRtOpaqueOptions* made);
LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment, LiteRtModel model,
                                       LiteRtOptions options, LiteRtCompiledModel* made);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel model);
LiteRtStatus LiteRtGetCompiledModelInputBufferRequirements(LiteRtCompiledModel model,
                                                           std::size_t signature, std::size_t index,
                                                           LiteRtTensorBufferRequirements* found);
LiteRtStatus LiteRtGetCompiledModelOutputBufferRequirements(LiteRtCompiledModel model,
                                                            std::size_t signature,
                                                            std::size_t index,
                                                            LiteRtTensorBufferRequirements* found);
LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel model, std::size_t signature,
                                    std::size_t input_count, LiteRtTensorBuffer* inputs,
                                    std::size_t output_count, LiteRtTensorBuffer* outputs);
LiteRtStatus LiteRtCreateManagedTensorBufferFromRequirements(
    LiteRtEnvironment environment, const LiteRtRankedTensorType* type,
    LiteRtTensorBufferRequirements requirements, LiteRtTensorBuffer* made);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer);
LiteRtStatus LiteRtLockTensorBuffer(LiteRtTensorBuffer buffer, void** address, int mode);
LiteRtStatus LiteRtUnlockTensorBuffer(LiteRtTensorBuffer buffer);

// These differ between versions and are looked up by name.
typedef LiteRtStatus (*LiteRtCreateModelFromFileUpTo21)(const char* path, LiteRtModel* made);
typedef LiteRtStatus (*LiteRtCreateModelFromFileSince22)(LiteRtEnvironment environment,
                                                         const char* path, LiteRtModel* made);
typedef LiteRtStatus (*LiteRtCreateCpuOptionsUpTo212)(LiteRtOpaqueOptions* made);
typedef LiteRtStatus (*LiteRtFindCpuOptionsUpTo212)(LiteRtOpaqueOptions options,
                                                    LiteRtCpuOptions* found);
typedef LiteRtStatus (*LiteRtSetCpuOptionsNumThreadUpTo212)(LiteRtCpuOptions options, int threads);
}

#endif  // EDGEFFNET_LITERT_C_H_
