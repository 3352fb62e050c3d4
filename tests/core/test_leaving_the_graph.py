"""What takes a tensor out of the graph while it is differentiated or traced: an error, or a value with its gradient."""

import copy
import math
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import graphnet as gn

LEAVES = {
    "float": float,
    "int": int,
    "complex": complex,
    "item": lambda x: x.item(),
    "numpy": lambda x: x.numpy().sum(),
    "tolist": lambda x: x.tolist(),
    "asarray": lambda x: np.asarray(x),
    "array": lambda x: np.array([x, 2 * x]),
    "array of rows": lambda x: np.array([[x, 1.0], [0.0, x]]) @ np.ones(2),
    "array of objects": lambda x: np.array(x, dtype=object),
    "mean of a list": lambda x: np.mean([x, x]),
    "full": lambda x: np.full(3, x),
    "full_like": lambda x: np.full_like(np.ones(3), x),
    "copyto": lambda x: np.copyto(np.ones(3), x),
    "math": lambda x: math.sin(x),
    "dlpack": lambda x: np.from_dlpack(x),
    "Parameter": lambda x: gn.Parameter(x),
    "a leaf": lambda x: gn.tensor(x, requires_grad=True),
    "Tensor": lambda x: gn.Tensor([x, x]),
    "percent": lambda x: "%.2f" % x,  # noqa: UP031
}


def _assigned(x):
    c = np.zeros(2)
    c[0] = x * x
    return gn.tensor(c).sum()


def _added_in_place(x):
    c = np.zeros(2)
    c += x
    return gn.tensor(c).sum()


DERIVATIVES = {
    "grad": lambda f: gn.grad(f)(3.0),
    "value_and_grad": lambda f: gn.value_and_grad(f)(3.0),
    "elementwise_grad": lambda f: gn.elementwise_grad(f)(3.0),
    "jacobian": lambda f: gn.jacobian(f)(3.0),
    "hessian": lambda f: gn.hessian(f)(3.0),
    "hvp": lambda f: gn.hvp(f)(3.0, 1.0),
    "vjp": lambda f: gn.vjp(f, 3.0),
    "jvp": lambda f: gn.jvp(f, (3.0,), (1.0,)),
}


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)
def test_what_depends_on_the_variable_does_not_leave_the_graph(leave):
    with pytest.raises(TypeError, match=r"gn\.stop_gradient\(x\) or x\.detach\(\)"):
        gn.grad(lambda x: leave(x * 2.0) and x)(3.0)
    # Outside of a derivative, and without a gradient, values are free.
    assert gn.grad(lambda x: (leave(gn.stop_gradient(x)), x * x)[1])(3.0).item() == 6


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_in_every_derivative(derivative):
    for wrong in (lambda x: math.sin(x) * x, lambda x: float(x) ** 2 * gn.ones(()), lambda x: gn.tensor(np.array(x))):
        with pytest.raises(TypeError, match=r"gn\.stack"):
            derivative(wrong)
    with pytest.raises(ValueError, match="sequence") as caught:
        derivative(_assigned)
    assert "gn.set_at" in str(caught.value.__cause__)
    with pytest.raises(TypeError, match="a = a \\+ x"):
        derivative(_added_in_place)


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
@pytest.mark.parametrize("constant", [9.0, 9, np.float64(9), np.ones(()), [1.0, 2.0]])
def test_a_result_that_is_no_tensor_is_an_error(derivative, constant):
    with pytest.raises(TypeError, match=r"returned a .*, which is no tensor.*allow_constant=True"):
        derivative(lambda x: constant)


def test_none_as_a_result():
    for derivative in DERIVATIVES.values():
        with pytest.raises(TypeError, match="returned None: is its return missing"):
            derivative(lambda x: None)


def test_a_constant_that_is_meant_gives_zeros():
    three = gn.tensor(3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for result in (9.0, 9, np.float64(9), three):
            constant = lambda x, result=result: result  # noqa: E731
            assert gn.grad(constant, allow_constant=True)(2.0).item() == 0
            assert gn.value_and_grad(constant, allow_constant=True)(2.0)[0].item() == result
            assert gn.elementwise_grad(constant, allow_constant=True)(2.0).item() == 0
            assert gn.jacobian(constant, allow_constant=True)([2.0, 1.0]).tolist() == [0, 0]
            assert gn.hessian(constant, allow_constant=True)([2.0, 1.0]).tolist() == [[0, 0], [0, 0]]
            assert gn.hvp(constant, allow_constant=True)(2.0, 1.0).item() == 0
            assert gn.vjp(constant, 2.0, allow_constant=True)[1](1.0)[0].item() == 0
            assert gn.jvp(constant, (2.0,), (1.0,), allow_constant=True)[1].item() == 0


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_a_tensor_that_depends_on_nothing_warns(derivative):
    w = gn.Parameter(2.0)
    for constant in (lambda x: gn.tensor(3.0), lambda x: w * w):
        with pytest.warns(gn.ConstantWarning, match="does not depend on its argument") as caught:
            derivative(constant)
        assert caught[0].filename == __file__ and len(caught) == 1


@pytest.mark.filterwarnings("error")
def test_what_has_no_slope_is_zero_in_silence():
    for f in (gn.floor, gn.sign, lambda x: x > 0, lambda x: x.astype("int64"), gn.stop_gradient, lambda x: x.detach()):
        assert gn.grad(f)(2.5).item() == 0.0
        assert gn.jacobian(f)(2.5).item() == 0.0
        assert gn.jvp(f, (2.5,), (1.0,))[1].item() == 0.0
        assert gn.vjp(f, 2.5)[1](1.0)[0].item() == 0.0
    value, slope = gn.value_and_grad(lambda x: x > 0)(2.5)
    assert value.dtype == bool and slope.item() == 0
    # A derivative may be a constant.
    assert gn.grad(gn.grad(lambda x: 3 * x))(2.0).item() == 0
    assert gn.hessian(lambda x: x.sum())(np.ones(2)).tolist() == [[0, 0], [0, 0]]
    assert gn.hvp(lambda x: x.sum())(np.ones(2), np.ones(2)).tolist() == [0, 0]
    assert gn.grad(lambda x: gn.tensor(1.0) if x > 0 else gn.tensor(2.0))(1.0).item() == 0


def test_nested_derivatives_guard_every_variable():
    with pytest.raises(TypeError, match=r"gn\.stack"):
        gn.grad(lambda x: gn.grad(lambda y: y * float(x))(2.0))(3.0)
    with pytest.raises(TypeError, match=r"gn\.stack"):
        gn.grad(lambda x: x * gn.grad(lambda y: float(y) * y)(x))(3.0)
    # An inner derivative that does not depend on the outer variable is plain inside of the outer function.
    assert gn.grad(lambda x: x * float(gn.grad(lambda y: y * y)(2.0)))(3.0).item() == 4
    w = gn.Parameter(2.0)
    assert gn.grad(lambda x: x * float(w * w))(3.0).item() == 4


@pytest.mark.parametrize("leave", [float, np.asarray, lambda y: y.item()], ids=["float", "asarray", "item"])
def test_on_a_thread_that_the_function_uses(leave):
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(TypeError, match=r"gn\.stack"):
            gn.grad(lambda x: x * pool.submit(lambda: leave(x * x)).result())(3.0)
        assert gn.grad(lambda x: x * pool.submit(lambda: x * x).result())(3.0).item() == 27
        assert gn.grad(lambda x: x * pool.submit(lambda: leave(gn.stop_gradient(x))).result())(3.0).item() == 3
        # What another thread has of its own, and what is left when the derivative is taken, are free.
        y = gn.Parameter(2.0) * 2
        assert gn.grad(lambda x: x * pool.submit(lambda: leave(y)).result())(3.0).item() == 4
        kept = []
        gn.grad(lambda x: (kept.append(x * x), x)[1])(3.0)
        assert pool.submit(lambda: leave(kept[0])).result() == 9


def test_looking_and_comparing_is_free():
    def f(x):
        assert "3" in f"{x} {x:.2f} {x!r}" and str(x) and format(x, ".1f") == "3.0"
        assert x > 0 and bool(x) and 3.0 in x.reshape((1,)) and np.allclose(x, 3.0) and len(x.reshape((1,))) == 1
        with gn.no_grad():
            float(x)
        return x * x if x > 1 else x

    assert gn.grad(f)(3.0).item() == 6


def test_backward_style_converts_freely():
    w = gn.Parameter([1.0, 2.0])
    loss = (w * w).sum()
    assert float(loss) == loss.item() == 5 and np.asarray(w * 2).tolist() == [2, 4] and int(loss) == 5
    loss.backward()
    assert w.grad.tolist() == [2, 4]


def test_checkpoint_and_jvp_of_rules_guard_too():
    block = gn.checkpoint(lambda x: x * float(x))
    with pytest.raises(TypeError, match=r"gn\.stack"):
        gn.grad(block)(3.0)
    rule = gn.custom_gradient(lambda x: (x * x, lambda g: gn.tensor(2 * float(g)) * x))
    assert gn.grad(rule)(3.0).item() == 6
    with pytest.raises(TypeError, match=r"gn\.stack"):
        gn.jvp(rule, (3.0,), (1.0,))


def test_in_a_trace_a_parameter_is_not_a_number():
    w = gn.Parameter(2.0, name="w")
    for read in (float, int, bool, np.asarray, gn.Tensor.item, gn.Tensor.numpy, gn.Tensor.tolist, math.exp):
        for f in (lambda x, read=read: x * read(w), lambda x, read=read: x * read(x)):
            with pytest.raises((TypeError, ValueError), match=r"gn\.where|not known yet"):
                gn.trace(f, gn.tensor(1.0))
    n = gn.input((), "int64")
    with pytest.raises(ValueError, match=r"gn\.scan instead of a loop"):
        list(range(n))


DOUBLES = gn.nn.Sequential([gn.nn.Input((2,)), gn.nn.Rescaling(2.0)])
LISTS = {
    "sum": (lambda x: gn.sum([x, x * x]), 7.0),
    "mean": (lambda x: gn.mean([x, x]), 1.0),
    "nested": (lambda x: gn.sum([[x, 1.0], [2.0, x * x]]), 7.0),
    "tuple": (lambda x: gn.sum((x, x * x)), 7.0),
    "with an array": (lambda x: gn.sum([x * np.ones(2), np.ones(2), [1.0, 2.0], [x, x]]), 4.0),
    "norm": (lambda x: gn.norm([3.0, x + 1]), 0.8),
    "exp": (lambda x: gn.exp([x, x]).sum(), 2 * math.exp(3.0)),
    "max": (lambda x: gn.max([x, 0.0]), 1.0),
    "right operand": (lambda x: (x * [x, x]).sum(), 12.0),
    "left operand": (lambda x: ([x, x] * x).sum(), 12.0),
    "division": (lambda x: (1 / gn.tensor([x, x])).sum(), -2 / 9),
    "comparison": (lambda x: gn.where(x > [x - 1, x + 1], x, 2 * x).sum(), 3.0),
    "where": (lambda x: gn.where([True, False], [x, x], [x, 0.0]).sum(), 1.0),
    "matmul": (lambda x: gn.matmul(np.eye(2), [x, 2 * x]).sum(), 3.0),
    "concatenate": (lambda x: gn.concatenate([[x], [x * x]]).sum(), 7.0),
    "tensor": (lambda x: gn.tensor([x, 2 * x]).sum(), 3.0),
    "tensor of one": (lambda x: gn.tensor(x) * 2, 2.0),
    "tensor in a dtype": (lambda x: gn.tensor([x, 2 * x], dtype="float32").sum(), 3.0),
    "full": (lambda x: gn.full((2,), x).sum(), 2.0),
    "full_like": (lambda x: gn.full_like(np.ones(3), x).sum(), 3.0),
    "arange": (lambda x: gn.arange(x, x + 3).sum(), 3.0),
    "linspace": (lambda x: gn.linspace(0.0, x, 3).sum(), 1.5),
    "clip": (lambda x: gn.clip(gn.tensor([x, x]), [0.0, 4.0], [5.0, x + 3]).sum(), 1.0),
    "softmax": (lambda x: gn.softmax([x, 0.0])[0], math.exp(-3) / (1 + math.exp(-3)) ** 2),
    "loss": (lambda x: gn.nn.losses.MeanSquaredError()([0.0, 1.0], [x, x]), 5.0),
    "layer": (lambda x: gn.nn.Rescaling(2.0)([[x, x]]).sum(), 4.0),
    "model": (lambda x: DOUBLES([[x, 1.0]]).sum(), 2.0),
    "model of rows": (lambda x: DOUBLES([gn.stack([x, x]), [1.0, x]]).sum(), 6.0),
    "set_at": (lambda x: gn.set_at(np.zeros(2), 0, x).sum(), 1.0),
    "take": (lambda x: gn.take([x, x * x], [0, 1, 1]).sum(), 13.0),
    "einsum": (lambda x: gn.einsum("i,i->", [x, x], [1.0, x]), 7.0),
    "dot": (lambda x: gn.dot([x, x], [x, 1.0]), 7.0),
    "ravel": (lambda x: gn.ravel([[x], [x]]).sum(), 2.0),
    "np.stack": (lambda x: np.stack([x, x * x]).sum(), 7.0),
    "np.concatenate": (lambda x: np.concatenate([x.reshape(1), (x * x).reshape(1)]).sum(), 7.0),
    "array of objects": (lambda x: gn.sum(_objects(x)), 7.0),
    "operator of objects": (lambda x: gn.sum(_objects(x) * 2 + 1), 14.0),
    "copy": (lambda x: x.copy() * 2, 2.0),
}


def _objects(x):
    made = np.empty(2, object)
    made[0], made[1] = x, x * x
    return made


@pytest.mark.parametrize(("f", "slope"), LISTS.values(), ids=LISTS)
def test_lists_of_tensors_keep_their_gradient(f, slope):
    assert gn.grad(f)(3.0).item() == pytest.approx(slope, rel=1e-6)
    p = gn.Parameter(3.0)
    f(p).backward()
    assert p.grad.item() == pytest.approx(slope, rel=1e-6)


def test_lists_of_tensors_in_a_trace():
    f = lambda x: gn.sum([[x, 1.0], [x * x, x]]) + gn.tensor([x, 2 * x]).sum()  # noqa: E731
    np.testing.assert_allclose(gn.compile(f)(gn.tensor(3.0)).numpy(), f(gn.tensor(3.0)).numpy())
    np.testing.assert_allclose(gn.grad(gn.compile(f))(3.0).numpy(), 2 + 6 + 3)


def test_dtypes_of_lists_of_tensors():
    x = gn.tensor(1.0, dtype="float32")
    for listed, dtype in (
        ([x, 1.0], "float32"),
        ([x, 1], "float32"),
        ([[x, 1], [2, True]], "float32"),
        ([x, np.float64(1)], "float64"),
        ([gn.tensor(1), 0.5], "float64"),
        ([gn.tensor(1), 2], "int64"),
        ([gn.tensor(True), False], "bool"),
    ):
        assert gn.tensor(listed).dtype == np.dtype(dtype) == gn.stack([gn.tensor(listed)]).dtype
        assert gn.grad(lambda v: gn.sum([v, x]))(np.float32(1)).dtype == np.float32


def test_ragged_lists_say_what_differs():
    x = gn.Parameter(1.0)
    for f in (gn.sum, gn.exp, gn.tensor, gn.norm, lambda v: v * x):
        with pytest.raises(ValueError, match=r"entry 0 has shape \(2,\), entry 1 has \(\)"):
            f([x * np.ones(2), x])
    with pytest.raises(TypeError, match="expected an array of numbers"):
        gn.sum([x, None])
    with pytest.raises(TypeError, match="expected an array of numbers"):
        gn.sum([x, "a"])


def test_masked_arrays_are_refused_where_the_mask_would_be_dropped():
    masked = np.ma.masked_array([1.0, 2.0], mask=[True, False])
    whole = np.ma.masked_array([1.0, 2.0], mask=False)
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    for f in (gn.tensor, gn.exp, lambda v: x * v, lambda v: gn.sum(v)):
        with pytest.raises(TypeError, match=r"masked array.*array\.filled"):
            f(masked)
        f(whole)


def test_copies_keep_their_history_and_own_their_array():
    x = gn.tensor([1.0, 2.0])
    assert x.copy().op is None and not np.shares_memory(x.copy().numpy(), x.numpy())
    w = gn.Parameter([1.0, 2.0])
    y = w.copy()
    w.assign([5.0, 5.0])
    assert y.tolist() == [1.0, 2.0]
    assert copy.copy(x).tolist() == [1.0, 2.0]


OUTER = {
    "compile": lambda z: gn.compile(lambda x: x * z)(gn.ones(2)),
    "its products": lambda z: (lambda q: gn.compile(lambda x: x * q)(gn.ones(2)))(z * z),
    "trace": lambda z: gn.trace(lambda x: x * z, gn.ones(2))(gn.ones(2)),
    "a derivative of it": lambda z: gn.compile(gn.grad(lambda x: gn.sum(x * x * z)))(gn.ones(2)),
    "a derivative within": lambda z: gn.grad(lambda y: gn.sum(z * gn.compile(lambda x: x * y * z)(gn.ones(2))))(z),
    "an outer variable": lambda z: gn.grad(lambda y: gn.sum(y * gn.compile(lambda x: x * z)(gn.ones(2))))(gn.ones(2)),
}


@pytest.mark.parametrize("f", OUTER.values(), ids=OUTER)
@pytest.mark.parametrize("derivative", ["grad", "jvp", "hvp"])
def test_what_a_compiled_function_reads_from_outside_is_no_variable(f, derivative):
    def total(z):
        return gn.sum(z * f(z))

    call = {
        "grad": lambda: gn.grad(total)(np.array([2.0, 3.0])),
        "jvp": lambda: gn.jvp(total, (np.array([2.0, 3.0]),), (np.ones(2),)),
        "hvp": lambda: gn.hvp(total)(np.array([2.0, 3.0]), np.ones(2)),
    }[derivative]
    with pytest.raises(TypeError, match="reads from outside"):
        call()


def test_what_a_compiled_function_may_read_of_variables():
    x = np.array([2.0, 3.0])
    given = gn.compile(lambda x, z: x * z)
    assert gn.grad(lambda z: gn.sum(z * given(gn.ones(2), z)))(x).numpy().tolist() == [4.0, 6.0]
    stopped = gn.grad(lambda z: gn.sum(z * gn.compile(lambda x: x * gn.stop_gradient(z))(gn.ones(2))))(x)
    assert stopped.numpy().tolist() == [2.0, 3.0]
    scanned = gn.grad(lambda z: gn.sum(z * gn.scan(lambda c, _: (c * z, None), gn.ones(2), None, length=1)[0]))(x)
    assert scanned.numpy().tolist() == [4.0, 6.0]
    w = gn.Parameter(x)
    own = gn.grad(lambda z: gn.sum(z * gn.compile(lambda x: x * w)(gn.ones(2))))(x)
    assert own.numpy().tolist() == [2.0, 3.0]
    whole = gn.compile(gn.grad(lambda z: gn.sum(z * gn.compile(lambda x: x * z)(gn.ones(2)))))(x)
    assert whole.numpy().tolist() == [4.0, 6.0]
