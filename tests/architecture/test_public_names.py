"""The public names of every package; a change here is one that users see, so it goes into the changelog."""

import importlib

import pytest

PUBLIC = {
    "bundle": """
        Bundle HEAD_DIGEST_KEY InnerExit Layer LinearLayer MANIFEST PARTS Part Place Preprocessing
        Quantisation ReluLayer SparseLinearLayer Terms check_exits check_writable inner_exits
        part_bytes present read read_terms write
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
        BOUNDS Certificate MEASURES METHODS Outcomes RiskCurve certify check_certifiable
        empirical_threshold fitting_split risk_curve threshold_grid
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
        BATCHES Budgeted Choice CodecFigures Judged MODES NETWORKS PayloadEvidence PayloadNetwork Plan Pledge
        Source Standing Streamed Studied Trial codec_table findings marked network_of streamed study
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
    "experiments.verified": """
        CASES Case Form Held Junction LARGEST Verified chance_samples findings forms_of forms_of_cases
        forms_table main_table network program_of tools_of verified write_verified write_verified_page
    """,
    "int8": """
        FARTHEST Inputs IntegerDevice IntegerJunction IntegerRule LARGEST_WEIGHT NEVER_SURE Scaling Trace
        Values integer_junctions run scaling steps_of
