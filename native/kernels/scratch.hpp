// Working memory that a thread keeps from call to call: a fresh megabyte costs hundreds of page faults.
#pragma once

#include <cstdint>

namespace offramp {

enum class Scratch { input, output, weight, network, count };

// At least n floats, aligned to 64 bytes, valid until this thread asks for the same slot again.
float *scratch(Scratch slot, int64_t n);

}  // namespace offramp
