"""Arguments of compiled functions: what is an input, what is kept, by what it is known; names, defaults, methods."""

import array
import dataclasses
import enum
import functools
import gc
import weakref
from collections import OrderedDict, deque, namedtuple
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import graphnet as gn

ONES = np.ones(2)


def compiled(f, **options):
    return gn.compile(f, backend="numpy", **options)


def numbers(t):
    return t.numpy().tolist()


# Inputs.


def array_likes():
    data = np.arange(6.0).reshape(3, 2)
    yield "list of arrays", [data, data + 1], lambda a: a[0] + a[1], 2 * data + 1
    yield "fortran order", np.asfortranarray(data), lambda a: a, data
    yield "read-only", np.broadcast_to(data[0], (3, 2)), lambda a: a, np.broadcast_to(data[0], (3, 2))
    yield "scalar", np.float32(2.5), lambda a: a, np.float32(2.5)
    yield "array.array", array.array("d", [1.0, 2.0]), lambda a: a, [1.0, 2.0]
    yield "memoryview", memoryview(data), lambda a: a, data

    class Held:
        __array_interface__ = data.__array_interface__

    class Made:
        def __array__(self, dtype=None, copy=None):
            return data

    yield "__array_interface__", Held(), lambda a: a, data
    yield "__array__", Made(), lambda a: a, data


@pytest.mark.parametrize(("value", "read", "right"), [pytest.param(*c[1:], id=c[0]) for c in array_likes()])
def test_what_can_be_read_as_an_array_is_an_input(value, read, right):
    f = compiled(lambda a: read(a) * 1.0)
    assert (f(value).numpy() == np.asarray(right)).all()
    assert f.plan.graph.inputs
    assert (
        gn.trace(lambda a: read(a) * 1.0, value)(*([value] if not isinstance(value, list) else value)).numpy() == right
    ).all()


def test_one_trace_serves_all_arrays_of_a_shape():
    pd = pytest.importorskip("pandas")
    f = compiled(lambda a: (a * 2.0).sum())
    for i in range(50):
        for value in (np.full(3, i * 1.0), pd.Series([i * 1.0] * 3), gn.tensor([i * 1.0] * 3)):
            assert f(value).item() == 6 * i
    assert f.compilations == 1
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    assert f(frame).item() == 20
    frame.loc[0, "a"] = 5.0
    assert f(frame).item() == 28
    with pytest.raises(TypeError, match="argument a"):
        f(pd.Series(["x", "y"]))


def test_a_memory_map_and_another_librarys_tensor(tmp_path):
    mapped = np.memmap(tmp_path / "m", "float64", "w+", shape=(3,))
    f = compiled(lambda a: a + 1.0)
    for n in range(3):
        mapped[:] = n
        assert numbers(f(mapped)) == [n + 1.0] * 3
    torch = pytest.importorskip("torch")
    t = torch.zeros(3, dtype=torch.float64)
    for n in range(3):
        t += 1
        assert numbers(f(t)) == [n + 2.0] * 3
    assert f.compilations == 1
    with pytest.raises(TypeError, match=r"argument a: .*requires grad"):
        f(torch.zeros(3, requires_grad=True))


# Values that are kept.


class Colour(enum.Enum):
    RED = 1
    ONE = 1.0


class Whole(int):
    pass


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Config:
    scale: float
    words: tuple = ()


@dataclasses.dataclass(frozen=True)
class Frozen:
    scale: float


class Money:
    """An object with an equality of its own."""

    def __init__(self, amount):
        self.amount = amount

    def __eq__(self, other):
        return isinstance(other, Money) and self.amount == other.amount

    def __hash__(self):
        return hash(self.amount)


Point = namedtuple("Point", "x y")
UNEQUAL = [
    1, 1.0, True, 1 + 0j, Whole(1), Level.LOW, Fraction(1), 0, 0.0, -0.0, float("nan"), False, None, "1", b"1", "", b"",
    (1,), (1.0,), (True,), (1, None), [1], [1.0], [[1]], {1}, {1.0}, {True}, frozenset({1}), frozenset({True}),
    range(1), range(2), slice(1), slice(1.0), slice(0, 1), Ellipsis, bytearray(b"1"), deque([1]), deque([True]),
    {"a": 1}, {"a": 1.0}, {"b": 1}, OrderedDict(a=1), SimpleNamespace(a=1), SimpleNamespace(a=True), Point(1, 2),
    Point(1, 2.0), (1, 2), Config(1), Config(1.0), Config(1.0, ("a",)), Frozen(1), Frozen(1.0), Frozen(True), Money(1),
    Money(2), int, float, np.sum, np.add, len, gn.exp, functools.partial(max, 1), functools.partial(max, 1.0),
    functools.partial(min, 1), np.dtype("f4"), np.dtype("f8"), np.str_("1"), Money(1).__eq__, Money(2).__eq__,
]  # fmt: skip


def test_a_value_is_known_by_content_and_class():
    seen = []
    f = compiled(lambda x, v: (seen.append(v), x * float(len(seen)))[1], limit=1000)
    for n, value in enumerate(UNEQUAL):
        assert numbers(f(ONES, value)) == [n + 1.0] * 2, value
    assert len(seen) == f.compilations == len(UNEQUAL)
    for n, value in enumerate(UNEQUAL):
        assert numbers(f(ONES, value)) == [n + 1.0] * 2, value
    assert f.compilations == len(UNEQUAL)
    for value in (float("nan"), Frozen(1.0), Config(1.0, ("a",)), Money(1), {1.0}, Point(1, 2.0), bytearray(b"1")):
        f(ONES, value)
    assert f.compilations == len(UNEQUAL)


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda i: Config(float(i)), lambda c: c.scale),
        (lambda i: set(range(i % 40)), len),
        (lambda i: bytearray(i), len),
        (lambda i: deque([i]), lambda c: c[0]),
        (lambda i: SimpleNamespace(a=[i]), lambda c: c.a[0]),
        (lambda i: Money(i), lambda c: c.amount),
        (lambda i: lambda: i, lambda c: c()),
    ],
)
def test_no_value_gets_the_plan_of_one_that_is_gone(make, read):
    f = compiled(lambda x, c: x * float(read(c)))
    for i in range(150):
        value = make(i)
        assert numbers(f(ONES, value)) == [float(read(value))] * 2
        del value


@pytest.mark.parametrize(
    ("value", "change", "read"),
    [
        (Config(1.0), lambda c: setattr(c, "scale", 7.0), lambda c: c.scale),
        (Money(1.0), lambda c: setattr(c, "amount", 7.0), lambda c: c.amount),
        ([1.0, 2.0], lambda c: c.append(7.0), sum),
        ({"a": 1.0}, lambda c: c.update(a=7.0), lambda c: c["a"]),
        (set(range(3)), lambda c: c.add(7), len),
        (bytearray(3), lambda c: c.extend(b"1234"), len),
        (SimpleNamespace(a=1.0), lambda c: setattr(c, "a", 7.0), lambda c: c.a),
        (deque([1.0]), lambda c: c.append(7.0), sum),
    ],
)
def test_a_value_that_changes_is_another_one(value, change, read):
    f = compiled(lambda x, c: x * float(read(c)))
    for _ in range(2):
        assert numbers(f(ONES, value)) == [float(read(value))] * 2
    change(value)
    assert numbers(f(ONES, value)) == [float(read(value))] * 2


class Plain:
    scale = 1.0


@pytest.mark.parametrize(
    "value",
    [
        Plain(),
        np.random.default_rng(0),
        iter([1]),
        (n for n in ()),
        {"a": Plain()},
        [Plain()],
        Config(Plain()),
        Plain().__init__,
        functools.partial(max, Plain()),
        gn.nn.Dense(2),
        np.array([None]),
        np.array(["a"]),
        {1: set, 2: {Plain()}},
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_is_known_by_nothing_but_its_address_is_refused(value):
    f = compiled(lambda x, v: x * 2.0)
    with pytest.raises(TypeError, match="<lambda>, argument v"):
        f(ONES, value)
    assert f.compilations == 0
    assert numbers(f(ONES, 1)) == [2, 2]


def test_what_is_said_to_be_static_is_taken_as_it_is():
    kept = Plain()
    for options in ({"static_argnames": "v"}, {"static_argnums": 1}, {"static_argnums": [-1]}):
        f = compiled(lambda x, v: x * v.scale, **options)
        assert numbers(f(ONES, kept)) == numbers(f(ONES, v=kept)) == [1, 1]
        assert f.compilations == 1
        f(ONES, Plain())
        assert f.compilations == 2
    # Containers and arrays by content.
    shape = np.array([2, 1])
    g = compiled(lambda x, to: gn.reshape(x, [int(n) for n in to]), static_argnames=["to"])
    assert g(ONES, shape).shape == (2, 1)
    shape[:] = [1, 2]
    assert g(ONES, shape).shape == (1, 2) and g.compilations == 2
    assert g(ONES, [2, 1]).shape == (2, 1)
    assert g(ONES, {1: 1, 2: 2}).shape == (1, 2)
    starred = compiled(lambda x, *rest, **more: x * float(rest[0] + more["k"]), static_argnums=1, static_argnames="k")
    assert numbers(starred(ONES, 1, k=2)) == [3, 3]
    for options in ({"static_argnames": "w"}, {"static_argnums": 2}, {"static_argnums": -3}, {"static_argnames": [3]}):
        with pytest.raises(ValueError, match="has no argument"):
            compiled(lambda x, v: x, **options)


# Names, defaults, callables.


def test_arguments_by_name_and_by_place_are_the_same():
    f = compiled(lambda x, y, k=1.0, *, shift=None: x * k - y + (0.0 if shift is None else shift))
    a, b = np.array([5.0, 7.0]), np.array([1.0, 2.0])
    assert numbers(f(a, b)) == numbers(f(a, y=b)) == numbers(f(y=b, x=a)) == [4, 5]
    assert f.compilations == 1
    assert numbers(f(y=b, x=a, k=2.0)) == numbers(f(a, b, 2.0)) == [9, 12]
    assert f.compilations == 2
    assert numbers(f(a, b, shift=b)) == numbers(f(shift=b, y=b, x=a)) == [5, 7]
    assert f.compilations == 3
    with pytest.raises(TypeError, match="missing"):
        f(a)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        f(a, b, z=1)
    assert f.lower(y=b, x=a) is f.lower(a, b)


def test_starred_arguments():
    f = compiled(lambda *xs, **ys: sum(xs) + sum(v * float(len(k)) for k, v in ys.items()))
    assert numbers(f(ONES, ONES, a=ONES, bb=ONES)) == [5, 5]
    assert numbers(f(ONES, bb=ONES, ccc=ONES)) == [6, 6]
    assert str(gn.trace(lambda *xs, **ys: xs[0] + ys["b"], ONES, b=ONES)).startswith(
        "graph(xs_0: float64[2], b: float64[2])"
    )


def test_defaults_that_are_arrays_are_read_at_each_call():
    weights, rest = np.ones(2), [np.ones(2)]

    def f(x, w=weights, *, more=rest, k=2.0, name="f"):
        return x * w * k + more[0]

    g = compiled(f)
    assert numbers(g(ONES)) == [3, 3]
    weights *= 10
    rest[0] = np.array([100.0, 200.0])
    assert numbers(g(ONES)) == [120, 220]
    assert numbers(g(ONES, more=[ONES])) == numbers(g(ONES, weights, more=[ONES])) == [21, 21]
    graph = gn.trace(f, ONES)
    assert [t.name for t in graph.inputs] == ["x", "w", "more_0"]


def test_a_default_that_is_a_parameter_is_read_from_outside():
    for w in (gn.Parameter([1.0, 2.0]), gn.Parameter([3.0, 4.0])):

        def step(x, w=w, held=(w, ONES)):
            w.assign(w + x)
            return held[0] * held[1]

        f = compiled(step)
        before = w.numpy()
        for n in (1, 2):
            assert numbers(f(ONES)) == numbers(w) == (before + n).tolist()


def test_partial_functions_and_callable_objects():
    f = compiled(functools.partial(lambda x, k, s: x * k + s, k=3.0))
    assert numbers(f(ONES, s=1.0)) == [4, 4]

    class Twice:
        def __call__(self, x, by=2.0):
            return x * by

    twice = compiled(Twice())
    assert numbers(twice(ONES)) == [2, 2] and numbers(twice(by=3.0, x=ONES)) == [3, 3]
    model = gn.nn.Sequential([gn.nn.Input((2,)), gn.nn.Dense(3)])
    call = compiled(model)
    assert call(np.ones((4, 2), "f")).shape == (4, 3)
    assert numbers(compiled(np.add)(ONES, ONES)) == [2, 2]
    assert numbers(compiled(compiled(Twice()))(ONES)) == [2, 2]
    assert "compiled" in repr(f)
    for wrong in (3, None if False else "f", [len]):
        with pytest.raises(TypeError, match="takes a function"):
            compiled(wrong)


def test_decorating_with_options():
    @gn.compile(backend="numpy", static_argnames="n")
    def f(x, n):
        """Doc."""
        return x * float(n)

    assert numbers(f(ONES, n=3)) == [3, 3]
    assert f.__name__ == "f" and f.__doc__ == "Doc."


# Methods.


class Scaled:
    def __init__(self, k):
        self.k = k
        self.w = gn.Parameter([1.0, 2.0])

    @gn.compile(backend="numpy")
    def f(self, x, more=0.0):
        return x * self.k * self.w + more

    @classmethod
    @gn.compile(backend="numpy")
    def made(cls, x):
        return x * (2.0 if cls is Scaled else 3.0)

    @staticmethod
    @gn.compile(backend="numpy")
    def free(x):
        return x + 1.0


class Child(Scaled):
    pass


def test_methods_belong_to_their_objects():
    a, b = Scaled(1.0), Scaled(10.0)
    with gn.no_grad():
        for _ in range(2):
            assert numbers(a.f(ONES)) == [1, 2] and numbers(b.f(ONES)) == [10, 20]
            assert numbers(b.f(ONES, more=1.0)) == [11, 21]
        b.w.assign([2.0, 2.0])
        assert numbers(b.f(ONES)) == [20, 20]
    assert a.f.compilations == 1 and b.f.compilations == 2 and Scaled.f.compilations == 0
    assert a.f.plan is a.f.lower(ONES)
    assert (
        numbers(Scaled.made(ONES)) == [2, 2] and numbers(Child.made(ONES)) == [3, 3] and numbers(b.made(ONES)) == [2, 2]
    )
    assert numbers(Scaled.free(ONES)) == numbers(a.free(ONES)) == [2, 2]
    assert numbers(gn.compile(lambda x: a.f(x))(ONES)) == [1, 2]
    for wrong in (classmethod, property):
        with pytest.raises(TypeError, match=f"write @{wrong.__name__} above"):
            gn.compile(wrong(lambda c: c))


def test_methods_keep_no_object_alive_and_are_not_mixed_up():
    for k in range(100):
        one = Scaled(float(k))
        assert numbers(one.f(ONES)) == [k, 2.0 * k]
        gone = weakref.ref(one)
        del one
        gc.collect(0)
    gc.collect()
    assert gone() is None and not Scaled.__dict__["f"]._methods

    class Slots:
        __slots__ = ("k",)

        def __init__(self, k):
            self.k = k

        @gn.compile(backend="numpy", limit=4)
        def f(self, x):
            return x * self.k

    for k in range(100):
        assert numbers(Slots(float(k)).f(ONES)) == [k, k]
    assert len(Slots.__dict__["f"]._methods) <= 4


def test_what_is_read_from_outside_is_read_when_traced():
    one = Scaled(1.0)
    with gn.no_grad():
        assert numbers(one.f(ONES)) == [1, 2]
        one.k = 5.0
        assert numbers(one.f(ONES)) == [1, 2]
        one.f.clear()
        assert numbers(one.f(ONES)) == [5, 10]
        one.k = 6.0
        Scaled.f.clear()
        assert numbers(one.f(ONES)) == [6, 12]


def test_the_cache_is_bounded_whatever_the_calls_are():
    f = compiled(lambda x, k=1.0: x * k, limit=3)
    for k in range(10):
        assert numbers(f(ONES, k=float(k))) == [k, k]
        assert numbers(f(np.ones(k + 1))) == [1.0] * (k + 1)
        assert numbers(f(ONES, float(k))) == [k, k]
        assert len(f._plans) <= 3 and len(f._plain) <= 3
    assert f.compilations == 20


def test_a_parameter_among_the_arguments_is_an_array():
    w = gn.Parameter([1.0, 2.0])
    f = compiled(lambda w, x: w * x)
    assert numbers(gn.grad(lambda v: f(v, ONES).sum())(w)) == [1, 1]
    with pytest.raises(AttributeError, match="reads from outside"):
        compiled(lambda w: w.assign(w + 1.0))(w)


@pytest.mark.parametrize("keys", [(1, True, 1.0), ((1, 2), (True, 2), (1.0, 2)), (0, False, -0.0)])
@pytest.mark.parametrize("nested", [False, True])
def test_keys_that_are_equal_are_still_known_by_their_class(keys, nested):
    def weight(key):
        return {int: 2.0, bool: 3.0, float: 4.0}[type(key[0] if isinstance(key, tuple) else key)]

    f = compiled(lambda d: sum(x * weight(k) for k, x in (d["in"][0] if nested else d).items()))
    for _ in range(2):
        for key in keys:
            d = {key: ONES}
            assert numbers(f({"in": [d]} if nested else d)) == [weight(key)] * 2
    assert f.compilations == 3
