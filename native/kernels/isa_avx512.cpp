#define OFFRAMP_ISA avx512
#define OFFRAMP_WIDTH 16
#include "forward.hpp"
#include "grad_weight.hpp"
#include "train_step.hpp"

namespace offramp {
extern const Kernels kernels_avx512{"avx512", avx512::forward, avx512::forward_bfloat16, avx512::grad_weight,
                                    avx512::largest, avx512::train_step};
}  // namespace offramp
