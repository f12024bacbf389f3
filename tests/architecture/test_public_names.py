"""The public names of every package; a change here is one that users see, so it goes into the changelog."""

import importlib

import pytest

PUBLIC = {
    "bundle": """
        Bundle HEAD_DIGEST_KEY InnerExit Layer LinearLayer MANIFEST PARTS Part Place Preprocessing
        Quantisation ReluLayer SparseLinearLayer Terms check_exits check_writable inner_exits part_bytes
        present read read_terms write
    """,
    "cli": "app main",
    "codec": """
        CODECS Codec FloatCodec Grid GriddedCodec arrived check_name codec_from fit_codec fit_grid shortest
        stacked
    """,
    "data": "Dataset SPLITS SplitName load preprocessing_for samples_digest unlabelled",
    "exits": """
        CRITERIA DriftWatch ExitRule NEVER Profile Reliability check_criterion fit_learned fit_temperature
        max_softmax profile_of reliability softmax
    """,
    "exits.guarantee": """
        BOUNDS Certificate MEASURES METHODS Outcomes RiskCurve certify check_certifiable empirical_threshold
        fitting_split risk_curve threshold_grid
    """,
    "export": """
        check_folder missing_parts onnx_device_model onnx_models onnx_tail_model to_onnx write_folder
        write_onnx write_repository
    """,
    "experiments": """
        COLUMNS Evidence PAPER_ROWS PaperRow RowEvidence Run Settings Spread VERDICTS accuracy_cell cells
        gather html_page markdown_page misprint_words misprints recipe_named reproduce select_rows spread
        verdict write_files write_markdown
    """,
    "experiments.payload": """
        BATCHES Budgeted Choice CodecFigures Judged MODES NETWORKS PayloadEvidence PayloadNetwork Plan
        Pledge Source Standing Streamed Studied Trial codec_table findings marked network_of streamed study
        system_table wire_table write_payload write_payload_page
    """,
    "experiments.certificates": """
        Beside Interval Judged Row Settings Study Way findings peers_table study_certificates table
        write_study write_study_page
    """,
    "experiments.rivals": """
        Comparison Contender METHODS Method Rival accuracy_table compare contenders differences_table
        findings write_comparison write_comparison_page
    """,
    "experiments.searched": """
        Beside FACTOR Find FoundRun Network OUTCOMES RowFound SearchTold choose findings gather_found
        network_table read_reproduced row_table told train_found write_found write_found_page
    """,
    "int8": """
        FARTHEST Inputs IntegerDevice IntegerJunction IntegerRule LARGEST_WEIGHT NEVER_SURE Scaling Trace
        Values integer_junctions run scaling steps_of
    """,
    "kernels": """
        Forward MAX_LAYERS TrainLayer TrainStep Trained available_isas forward forward_at forward_bfloat16
        forward_bfloat16_at grad_input grad_input_at grad_weight grad_weight_at has_openmp reference
        useful_threads
    """,
    "nn": "Bottleneck Exit MLP SparseLinear SplitModel from_parts split_at split_midpoint to_part to_parts",
    "pattern": """
        BLOCK_COSTS Junction LARGE_BLOCK PATTERN_KINDS Pattern PatternSpec Table affine auto block
        clash_free density edge_count fastest_block feasible_densities feasible_out_degrees full in_degree
        largest_block overall_density random table_dtype
    """,
    "plan": "JunctionSpeed measure_junction measure_part",
    "plan.footprint": "Candidate Footprint JunctionFootprint footprint",
    "plan.judgement": """
        Calibration CodecRow Evaluation ExitWorth Goal Quantised Share Sweep Verdicts calibrated codec_rows
        codec_study difference evaluated judged outcomes_of quantised rules_of settled share sweep verdicts
        verdicts_of with_rules
    """,
    "report": """
        Candidate Choice CodecPoint Estimate NetworkRecord Picture Result Row Section accuracy_against_bytes
        accuracy_margin codec_figure confidence findings html_page markdown_page markdown_table
        networks_table printable read_result reliability_figure render_page results_table risk_figure
        section_page threshold_figure threshold_sweep to_json write_markdown
    """,
    "runtime": """
        Answer ClientSecurity Edge Fleet LinkPolicy LinkSettings MAX_BYTES_IN_FLIGHT MAX_MESSAGE_BYTES MODES
        Metrics Mode Model Network RayTails Scores ServerSecurity ShapedLink TailCounts TailServer
        TailSettings edge_scores models_of onnx_tail scores_of serve server_scores
    """,
    "runtime.security": "ClientCredentials ClientSecurity ServerCredentials ServerSecurity TokenGuard Tokens",
    "runtime.channel": "HELD_BYTES Held Lane LinkSettings",
    "runtime.fleet": "Dashboard EdgeTally Fleet REPORT_EVERY_S Reporter Seen",
    "runtime.journal": "Counts Entry Journal Pending Refinement SYNCS Sync Verdict WHEN_FULL WhenFull",
    "runtime.refining": "AsyncRefiningEdge Refined RefiningEdge RefiningSettings",
    "search": "Budget Candidate Entry Found Results Settings Space Standing Training read_results search",
    "train": """
        Accuracies Distillation Epoch Finetuned History Job Pool RECIPES Recipe Samples Teacher Trained
        Trainers Watch Work evaluate expected_s finetune_for_codec finetune_for_integers fit fit_each
        fit_many initialise run_each teacher_job train_teacher
    """,
    "system": "AUTO",
    "targets": """
        Counts Object Program Run Sizes Stack Symbol TARGETS Target build check_fits_chip compile_object
        missing scratch sizes stack
    """,
    "wire": """
        EdgeReport FLEET_SERVICE InferRequest InferResponse LATENCY_BOUNDS_S MAX_ERROR_CHARACTERS MAX_EXITS
        MAX_REPORT_BYTES ModelMetadata ModelQuery NAME_PATTERN Parameter SERVICE ServerMetadata Tensor
        TensorSpec checked_request checked_response features_request goes_with joined live_response
        read_features read_ready read_samples read_scores ready_response stream_error stream_response
        verify_request verify_response
    """,
    "export.c": """
        CJunction Choose Encoding KINDS Kind Numbers Prefer Priced Program Shape chosen_program encodings
        files header program source write_code
    """,
    "export.onnx": "missing_parts onnx_device_model onnx_models onnx_tail_model tensors to_onnx write_onnx",
    "runtime.gateway": "DeviceAnswer Gateway GatewayCounts SerialLine",
    "verification": "Expected ONNX Rung Skipped Step climb expected extremes verify verify_onnx",
    "wire.serial": """
        Damaged Frame Hello MARK_BYTES NOBODY Offload RawSample Refusal Refused SERIAL_VERSION
        SerialReceiver Strange TailAnswer Verdict Welcome frame_bytes max_body_bytes
    """,
    "experiments.verified": """
        CASES Case Form Held Junction LARGEST Verified chance_samples findings forms_of forms_of_cases
        forms_table main_table network program_of tools_of verified write_verified write_verified_page
    """,
}


@pytest.mark.parametrize("package", PUBLIC)
def test_a_package_offers_these_names_and_no_others(package: str) -> None:
    module = importlib.import_module(f"offramp.{package}")
    assert sorted(module.__all__) == PUBLIC[package].split()
    assert all(hasattr(module, name) for name in module.__all__)
