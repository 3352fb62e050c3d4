"""Products: NumPy's values for all ranks and batches, gradients of two orders, symbolic shapes, errors."""

import string

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphnet as gn


def numbers(shape, step=0.37):
    return np.sin(np.arange(float(np.prod(shape))).reshape(shape) * step + step)


def agrees(call, reference, *arrays):
    """`call` is `reference`, eager and symbolic, in both precisions, and has its first and second derivatives."""
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 2e-5)):
        cast = [a.astype(dtype) for a in arrays]
        expected = np.asarray(reference(*cast))
        inputs = [gn.input(a.shape, dtype) for a in cast]
        y = call(*inputs)
        for found in (call(*map(gn.tensor, cast)), gn.Graph(inputs, y)(*cast), y):
            assert (found.shape, found.dtype) == (expected.shape, dtype)
            if not found.is_symbolic:
                np.testing.assert_allclose(found.numpy(), expected, rtol=rtol, atol=rtol)
        slopes = gn.gradients((y * y).sum(), inputs)
        assert [(s.shape, s.dtype) for s in slopes] == [(a.shape, dtype) for a in cast]
    gn.check_grads(lambda *xs: gn.sin(call(*xs)), *arrays, order=2)


@given(hnp.mutually_broadcastable_shapes(signature="(m?,k),(k,n?)->(m?,n?)", max_dims=2, min_side=0, max_side=3))
def test_matmul_of_vectors_matrices_and_batches(shapes):
    a, b = (numbers(s, 0.3 + i) for i, s in enumerate(shapes.input_shapes))
    agrees(gn.matmul, np.matmul, a, b)
    agrees(lambda p, q: p @ q, np.matmul, a, b)


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.data())
def test_dot_and_inner_of_any_ranks(m, k, n, data):
    left = data.draw(st.sampled_from([(k,), (m, k), (2, m, k), ()]))
    right = data.draw(st.sampled_from([(k,), (k, n), (2, k, n), ()]))
    a, b = numbers(left), numbers(right, 0.7)
    agrees(gn.dot, np.dot, a, b)
    turned = np.moveaxis(b, -2, -1) if b.ndim > 1 else b
    agrees(gn.inner, np.inner, a, turned.copy())


@given(hnp.array_shapes(max_dims=2, min_side=0, max_side=3), hnp.array_shapes(max_dims=2, min_side=0, max_side=3))
def test_outer_and_vdot(p, q):
    a, b = numbers(p), numbers(q, 0.7)
    agrees(gn.outer, np.outer, a, b)
    agrees(gn.vdot, np.vdot, a, numbers(p, 0.7).T)


@given(st.data())
def test_tensordot_over_any_axes(data):
    rank = data.draw(st.integers(0, 3))
    a = numbers(data.draw(st.tuples(*[st.integers(1, 3)] * rank)))
    count = data.draw(st.integers(0, rank))
    left = data.draw(st.permutations(range(rank)))[:count]
    rest = data.draw(st.lists(st.integers(1, 3), max_size=1))
    sizes = [a.shape[i] for i in left] + rest
    order = data.draw(st.permutations(range(len(sizes))))
    b = numbers(tuple(sizes[i] for i in order), 0.7)
    right = [order.index(i) - len(sizes) * data.draw(st.integers(0, 1)) for i in range(count)]
    agrees(lambda p, q: gn.tensordot(p, q, (left, right)), lambda p, q: np.tensordot(p, q, (left, right)), a, b)


@given(hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4), st.integers(-3, 3))
def test_trace(shape, offset):
    a = numbers(shape)
    agrees(lambda x: x.trace(offset), lambda x: np.trace(x, offset), a)
    agrees(lambda x: np.linalg.trace(x, offset=offset), lambda x: np.linalg.trace(x, offset=offset), a)


@st.composite
def spellings(draw):
    """Subscripts with repeated labels, sums, `...` and size-one axes, and operands for them."""
    letters = string.ascii_lowercase[:4]
    sizes = {c: draw(st.integers(1, 3)) for c in letters}
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    terms, arrays = [], []
    for i in range(draw(st.integers(1, 3))):
        labels = draw(st.lists(st.sampled_from(letters), max_size=3))
        dots = draw(st.integers(0, len(batch)))
        shape = [sizes[c] for c in labels]
        if draw(st.booleans()):
            place = draw(st.integers(0, len(labels)))
            kept = [n if draw(st.booleans()) else 1 for n in batch[len(batch) - dots :]]
            shape[place:place] = kept
            labels.insert(place, "...")
        terms.append("".join(labels))
        arrays.append(numbers(tuple(shape), 0.3 + 0.4 * i))
    used = sorted(set("".join(terms)) - {"."})
    text = ",".join(terms)
    if draw(st.booleans()):
        out = draw(st.permutations(used))[: draw(st.integers(0, len(used)))]
        if "..." in text:
            out.insert(draw(st.integers(0, len(out))), "...")
        text += "->" + "".join(out)
    return text, arrays


@given(spellings())
@example(("ii->i", [numbers((3, 3))]))
@example(("ii", [numbers((3, 3))]))
@example(("iii->i", [numbers((2, 2, 2))]))
@example(("iji->j", [numbers((2, 3, 2))]))
@example(("ii,ij->", [numbers((2, 2)), numbers((2, 3))]))
@example(("...ij,...jk->ik...", [numbers((2, 1, 3)), numbers((3, 2))]))
@example(("ij->", [numbers((2, 3))]))
@example(("", [numbers(())]))
@example((",ab,->b", [numbers(()), numbers((2, 3)), numbers((), 0.9)]))
@example(("a,a,a,a,a->a", [numbers((2,), 0.1 * i) for i in range(1, 6)]))
def test_einsum_of_any_spelling(case):
    text, arrays = case
    assume(sum(a.size for a in arrays) < 200)
    agrees(lambda *xs: gn.einsum(text, *xs), lambda *xs: np.einsum(text, *xs), *arrays)


def test_einsum_on_empty_axes():
    agrees(
        lambda a, b: gn.einsum("ij,jk->ik", a, b),
        lambda a, b: np.einsum("ij,jk->ik", a, b),
        np.zeros((2, 0)),
        np.zeros((0, 3)),
    )
    agrees(lambda a: gn.einsum("ij->j", a), lambda a: np.einsum("ij->j", a), np.zeros((0, 3)))


def test_einsum_to_the_third_order():
    f = gn.grad(
        gn.grad(
            gn.grad(lambda x: gn.einsum("i,i,i,i->", x * np.ones(2), x * np.ones(2), x * np.ones(2), x * np.ones(2)))
        )
    )
    np.testing.assert_allclose(f(0.7).item(), 2 * 24 * 0.7)


@pytest.mark.parametrize("optimize", [False, True, "greedy", "optimal"])
def test_einsum_passes_optimize_on(optimize):
    shapes = [(2, 3), (3, 4), (4, 2)]
    agrees(
        lambda *xs: gn.einsum("ij,jk,kl->il", *xs, optimize=optimize),
        lambda *xs: np.einsum("ij,jk,kl->il", *xs),
        *[numbers(s) for s in shapes],
    )


def test_einsum_with_a_path_given_by_hand():
    arrays = [numbers(s) for s in ((2, 3), (3, 4), (4, 2))]
    for text in ("ij,jk,kl->il", "ij,jk,kl->l", "ij,jk,kl->"):
        path = np.einsum_path(text, *arrays, optimize="optimal")[0]
        gn.check_grads(lambda *xs, text=text, path=path: gn.sin(gn.einsum(text, *xs, optimize=path)), *arrays, order=2)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: gn.matmul(np.ones((5, 7), "f4"), np.ones((3, 4), "f4")),
            ValueError,
            r"^matmul\(float32\[5, 7\], float32\[3, 4\]\): k is 7 in one input and 3 in the other$",
        ),
        (lambda: gn.input((3,)) @ gn.input((4, 2)), ValueError, r"^matmul\(float32\[3\], float32\[4, 2\]\): k is 3"),
        (lambda: gn.ones((2, 3, 4)) @ gn.ones((3, 4, 5)), ValueError, r"shapes \(2,\), \(3,\) do not broadcast"),
        (lambda: gn.ones(3) @ 2.0, ValueError, "without axes has no matrix product; multiply works on it"),
        (lambda: gn.dot(gn.ones((2, 3)), gn.ones((4, 2))), ValueError, "k is 3 in one input and 4 in the other"),
        (lambda: gn.inner(gn.ones(3), gn.ones(4)), ValueError, r"axes \(0,\) of shape \(3,\) do not fit"),
        (lambda: gn.vdot(gn.ones(3), gn.ones(4)), ValueError, "k is 3 in one input and 4 in the other"),
        (lambda: gn.tensordot(gn.ones((2, 3)), gn.ones(3), 2), ValueError, r"axes=2 of shapes \(2, 3\) and \(3,\)"),
        (lambda: gn.tensordot(gn.ones((2, 3)), gn.ones(3), -1), ValueError, "axes=-1"),
        (lambda: gn.tensordot(gn.ones((2, 3)), gn.ones(3), ((0,), (0,))), ValueError, "do not fit axes"),
        (lambda: gn.einsum(3.0, [0]), TypeError, "the first argument is a string of subscripts"),
        (lambda: gn.einsum("i1", gn.ones((2, 2))), ValueError, r"subscripts are letters, commas, \.\.\. and ->"),
        (lambda: gn.einsum("ij->->i", gn.ones((2, 2))), ValueError, "one -> and no commas behind it"),
        (lambda: gn.einsum("ij->i,j", gn.ones((2, 2))), ValueError, "one -> and no commas behind it"),
        (lambda: gn.einsum("i..j", gn.ones((2, 2))), ValueError, r"further axes are written \.\.\., once"),
        (lambda: gn.einsum("......", gn.ones((2, 2))), ValueError, r"further axes are written \.\.\., once"),
        (lambda: gn.einsum("i,i", gn.ones(2)), ValueError, "names 2 operands; received 1"),
        (lambda: gn.einsum("ijk", gn.ones((2, 2))), ValueError, "operand 0 has 2 dimensions, its subscripts 'ijk'"),
        (lambda: gn.einsum("ij->k", gn.ones((2, 2))), ValueError, "names an axis twice or one that no operand has"),
        (lambda: gn.einsum("ij->ii", gn.ones((2, 2))), ValueError, "names an axis twice"),
        (lambda: gn.einsum("ij,jk", gn.ones((2, 3)), gn.ones((4, 2))), ValueError, "axis 'j' has size 3 in one place"),
        (lambda: gn.einsum("ii->i", gn.ones((1, 3))), ValueError, "'i' twice in operand 0 is a diagonal"),
        (lambda: gn.einsum("i...i", gn.input((2, 2, 3))), ValueError, "'i' twice in operand 0 is a diagonal"),
        (lambda: gn.einsum("...i->i", gn.ones((2, 3))), ValueError, r"has no \.\.\."),
    ],
)
def test_errors_say_what_does_not_fit(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)
