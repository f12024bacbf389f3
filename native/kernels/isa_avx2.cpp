#define OFFRAMP_ISA avx2
#define OFFRAMP_WIDTH 8
#include "forward.hpp"
#include "grad_weight.hpp"
#include "train_step.hpp"

namespace offramp {
extern const Kernels kernels_avx2{"avx2", avx2::forward, avx2::forward_bfloat16, avx2::grad_weight,
                                    avx2::largest, avx2::train_step};
}  // namespace offramp
