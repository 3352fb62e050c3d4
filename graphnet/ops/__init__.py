"""The operations, by kind: every public function of the modules here is one, under the name it has there."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

# What only plans make is registered too: its names are taken.
from graphnet.ops import planned as planned
from graphnet.ops.activation import (
    celu as celu,
    elu as elu,
    gelu as gelu,
    glu as glu,
    hard_shrink as hard_shrink,
    hard_sigmoid as hard_sigmoid,
    hard_silu as hard_silu,
    hard_tanh as hard_tanh,
    leaky_relu as leaky_relu,
    linear as linear,
    mish as mish,
    relu as relu,
    relu6 as relu6,
    selu as selu,
    silu as silu,
    soft_shrink as soft_shrink,
    softsign as softsign,
    sparse_plus as sparse_plus,
    sparse_sigmoid as sparse_sigmoid,
    squareplus as squareplus,
    swish as swish,
    tanh_shrink as tanh_shrink,
    threshold as threshold,
)
from graphnet.ops.angles import (
    arccos as arccos,
    arccosh as arccosh,
    arcsin as arcsin,
    arcsinh as arcsinh,
    arctan as arctan,
    arctan2 as arctan2,
    arctanh as arctanh,
    cos as cos,
    cosh as cosh,
    deg2rad as deg2rad,
    degrees as degrees,
    hypot as hypot,
    rad2deg as rad2deg,
    radians as radians,
    sin as sin,
    sinh as sinh,
    tan as tan,
)
from graphnet.ops.arithmetic import (
    abs as abs,
    absolute as absolute,
    add as add,
    conjugate as conjugate,
    copysign as copysign,
    divide as divide,
    floor_divide as floor_divide,
    fmod as fmod,
    mod as mod,
    multiply as multiply,
    negative as negative,
    positive as positive,
    reciprocal as reciprocal,
    remainder as remainder,
    sign as sign,
    subtract as subtract,
    true_divide as true_divide,
)
from graphnet.ops.arranging import (
    flip as flip,
    pad as pad,
    repeat as repeat,
    roll as roll,
    tile as tile,
    tril as tril,
    triu as triu,
)
from graphnet.ops.choices import (
    clip as clip,
    fmax as fmax,
    fmin as fmin,
    maximum as maximum,
    minimum as minimum,
    where as where,
)
from graphnet.ops.comparisons import (
    equal as equal,
    greater as greater,
    greater_equal as greater_equal,
    isfinite as isfinite,
    isinf as isinf,
    isnan as isnan,
    less as less,
    less_equal as less_equal,
    logical_and as logical_and,
    logical_not as logical_not,
    logical_or as logical_or,
    logical_xor as logical_xor,
    not_equal as not_equal,
)
from graphnet.ops.complexes import angle as angle, conj as conj, imag as imag, real as real
from graphnet.ops.convolution import conv as conv, conv_transpose as conv_transpose
from graphnet.ops.creation import (
    arange as arange,
    eye as eye,
    full as full,
    full_like as full_like,
    linspace as linspace,
    ones as ones,
    ones_like as ones_like,
    zeros as zeros,
    zeros_like as zeros_like,
)
from graphnet.ops.deviations import std as std, var as var
from graphnet.ops.einsums import einsum as einsum
from graphnet.ops.exponentials import (
    exp as exp,
    exp2 as exp2,
    expm1 as expm1,
    log as log,
    log10 as log10,
    log1p as log1p,
    log2 as log2,
    logaddexp as logaddexp,
    logaddexp2 as logaddexp2,
)
from graphnet.ops.index import add_at as add_at, set_at as set_at
from graphnet.ops.joining import array_split as array_split, concatenate as concatenate, split as split, stack as stack
from graphnet.ops.pooling import avg_pool as avg_pool, max_pool as max_pool
from graphnet.ops.powers import cbrt as cbrt, pow as pow, power as power, sqrt as sqrt, square as square
from graphnet.ops.products import (
    dot as dot,
    inner as inner,
    matmul as matmul,
    norm as norm,
    outer as outer,
    tensordot as tensordot,
    vdot as vdot,
)
from graphnet.ops.random import random_normal as random_normal, random_uniform as random_uniform
from graphnet.ops.reduce import (
    all as all,
    amax as amax,
    amin as amin,
    any as any,
    cumsum as cumsum,
    logsumexp as logsumexp,
    max as max,
    mean as mean,
    min as min,
    prod as prod,
    sum as sum,
)
from graphnet.ops.selecting import argmax as argmax, argmin as argmin
from graphnet.ops.rounding import ceil as ceil, floor as floor, rint as rint, round as round, trunc as trunc
from graphnet.ops.rows import take_rows as take_rows
from graphnet.ops.selecting import (
    argsort as argsort,
    diag as diag,
    diagonal as diagonal,
    one_hot as one_hot,
    sort as sort,
    take as take,
    take_along_axis as take_along_axis,
)
from graphnet.ops.shaping import (
    astype as astype,
    broadcast_to as broadcast_to,
    expand_dims as expand_dims,
    identity as identity,
    moveaxis as moveaxis,
    ravel as ravel,
    reshape as reshape,
    squeeze as squeeze,
    stop_gradient as stop_gradient,
    swapaxes as swapaxes,
    transpose as transpose,
)
from graphnet.ops.sigmoids import log_sigmoid as log_sigmoid, sigmoid as sigmoid, softplus as softplus, tanh as tanh
from graphnet.ops.softmaxes import log_softmax as log_softmax, softmax as softmax, sparsemax as sparsemax
from graphnet.ops.special import erf as erf, erfc as erfc, sinc as sinc

if not TYPE_CHECKING:  # a type checker reads the names above
    __all__ = sorted(n for n, f in globals().items() if getattr(f, "__module__", "").startswith(f"{__name__}."))


def __getattr__(name: str) -> Any:
    # Names of keras.ops that are no ops of graphnet: whoever does without them need not wait for them.
    if not name.startswith("_"):
        for home in ("keras_names", "keras_numbers"):
            module = sys.modules.get(f"{__name__}.{home}") or importlib.import_module(f"{__name__}.{home}")
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
