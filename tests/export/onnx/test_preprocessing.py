import numpy as np
from hypothesis import given, settings

from offramp.export.onnx.graph import Graph
from offramp.export.onnx.preprocessing import add_preprocessing


def test_inputs_of_the_network_are_the_same_bits_as_in_training(bench):
    @settings(max_examples=20)
    @given(bench.preprocessings())
    def holds(rule):
        graph, raw = Graph(), bench.samples(rule, 5)
        x = add_preprocessing(graph, rule, graph.input("samples", rule.dtype, *rule.shape))
        graph.output(x, "x", np.float32, rule.n_features)
        found = bench.run(graph.model("preprocessing", {}), samples=raw)["x"]
        np.testing.assert_array_equal(found, rule(raw))

    holds()
