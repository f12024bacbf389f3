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
def grad_input(
    dy: Any,
    weight: Any,
    reverse_table: Any,
    reverse_position: Any,
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
def available_isas() -> list[str]: ...
def has_openmp() -> bool: ...
