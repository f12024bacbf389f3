#include <nanobind/nanobind.h>

void register_junction(nanobind::module_ &m);
void register_network(nanobind::module_ &m);

NB_MODULE(_native, m) {
    m.doc() = "Native kernels of offramp; use them through offramp.kernels.";
    register_junction(m);
    register_network(m);
}
