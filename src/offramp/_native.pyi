from typing import Any

def forward(
    x: Any,
    weight: Any,
    table: Any,
    bias: Any,
    y: Any,
    r: int,
    c: int,
    threads: int,
    isa: str | None,
) -> None: ...
def forward_bfloat16(
    x: Any,
    weight: Any,
    table: Any,
    bias: Any,
    y: Any,
    r: int,
    c: int,
    threads: int,
    isa: str | None,
) -> None: ...
def grad_input(
    dy: Any,
    weight: Any,
    reverse_table: Any,
    dx: Any,
    r: int,
    c: int,
    threads: int,
    isa: str | None,
) -> None: ...
def grad_weight(
    x: Any,
    dy: Any,
    table: Any,
    dweight: Any,
    dbias: Any,
    r: int,
    c: int,
    threads: int,
    isa: str | None,
) -> None: ...
def forward_at(*arguments: int) -> None: ...
def forward_bfloat16_at(*arguments: int) -> None: ...
def grad_input_at(*arguments: int) -> None: ...
def grad_weight_at(*arguments: int) -> None: ...
def available_isas() -> list[str]: ...
def has_openmp() -> bool: ...

class TrainStep:
    def add_layer(
        self,
        stack: int,
        table: Any,
        reverse_table: Any,
        n_in: int,
        n_out: int,
        r: int,
        c: int,
        stored_is_forward: bool,
        relu: bool,
        weight: Any,
        weight_mean: Any,
        weight_square: Any,
        bias: Any,
        bias_mean: Any,
        bias_square: Any,
    ) -> None: ...
    def step(
        self,
        x: Any,
        labels: Any,
        shares: Any,
        rows: Any,
        exit_weight: float,
        learning_rate: float,
        beta1: float,
        beta2: float,
        epsilon: float,
        step: int,
        isa: str | None,
    ) -> float: ...
