#define OFFRAMP_ISA generic
#define OFFRAMP_WIDTH 4
#include "forward.hpp"
#include "grad_weight.hpp"
#include "train_step.hpp"

namespace offramp {
extern const Kernels kernels_generic{"generic", generic::forward, generic::forward_bfloat16, generic::grad_weight,
                                    generic::largest, generic::train_step};
}  // namespace offramp
