from functools import partial

from tt_tensor.ops.einsum import Einsum
from tt_tensor.testing import Case, sample

FORMS = [
    ("->", ()), ("i->i", (3,)), ("i->", (3,)), ("i", (3,)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ij->j", (2, 3)),
    ("ba", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("ii->", (3, 3)), ("iij->j", (2, 2, 3)),
    ("iji->ij", (2, 3, 2)), ("iii->i", (2, 2, 2)), ("iijj->ij", (2, 2, 3, 3)), ("...->...", (2, 3)),
    ("...i->...", (2, 3)), ("...ii->...i", (2, 3, 3)), ("i...->...", (2, 3, 2)), ("ij->ij", (0, 3)),
    ("ij->j", (0, 3)), ("...ij->...ji", (2, 1, 2, 3)),
    ("i,i->", (3,), (3,)), ("i,i->i", (3,), (3,)), ("i,j->ij", (2,), (3,)), ("i,j", (2,), (3,)),
    ("ij,jk->ik", (2, 3), (3, 2)), ("ij,jk", (2, 3), (3, 2)), ("ij,kj->ik", (2, 3), (4, 3)),
    ("ij,jk->ki", (2, 3), (3, 2)), ("ij,j->i", (2, 3), (3,)), (",ij->ij", (), (2, 3)), ("ij,ij->", (2, 3), (2, 3)),
    ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("bhqd,bhkd->bhqk", (2, 1, 2, 3), (2, 1, 4, 3)),
    ("bqhd,bkhd->bhqk", (2, 2, 1, 3), (2, 3, 1, 3)), ("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
    ("...ij,...jk", (2, 3), (2, 1, 3, 2)), ("bi,oi->bo", (2, 3), (4, 3)), ("ij,kl->", (2, 2), (2, 3)),
    ("ij,k->ik", (2, 3), (2,)), ("ii,ij->j", (2, 2), (2, 3)), ("ijj,jk->ik", (2, 3, 3), (3, 2)),
    ("abc,cbd->ad", (2, 3, 2), (2, 3, 2)), ("abcd,cdef->abef", (1, 2, 2, 1), (2, 1, 1, 2)),
    ("i,i->i", (3,), (1,)), ("i,i->", (1,), (3,)), ("ij,jk->ik", (2, 1), (3, 2)), ("ij,ij->j", (1, 3), (2, 1)),
    ("...,...->...", (2, 1), (3,)), ("ij,jk->ik", (0, 3), (3, 2)), ("ij,jk->ik", (2, 0), (0, 2)),
    ("ab,bc,cd->ad", (2, 3), (3, 2), (2, 2)), ("i,j,k->ijk", (2,), (2,), (2,)),
    ("bi,oij,bj->bo", (2, 2), (2, 2, 3), (2, 3)),
    ("ii,jj,k->ijk", (2, 2), (2, 2), (2,)), ("i,i,i->", (3,), (3,), (3,)), ("i,ij,jj->j", (2,), (2, 3), (3, 3)),
    ("ab,bc,cd,de->ae", (2, 2), (2, 3), (3, 2), (2, 1)), ("a,ab,...b->...", (2,), (2, 3), (2, 3)),
]  # fmt: skip

TWICE = sample((3, 3), 1)

CASES = {
    Einsum: [
        Case(
            f"{form} of {shapes}",
            partial(Einsum, form),
            tuple(sample(shape, 3 * seed + k) for k, shape in enumerate(shapes)),
        )
        for seed, (form, *shapes) in enumerate(FORMS)
    ]
    + [
        Case("ij,jk->ik twice", partial(Einsum, "ij,jk->ik"), (TWICE, TWICE)),
        Case("ij,ij-> twice", partial(Einsum, "ij,ij->"), (TWICE, TWICE)),
        Case("ij,jk,ki-> three times", partial(Einsum, "ij,jk,ki->"), (TWICE, TWICE, TWICE)),
        Case(
            "ij,jk->ik transposed", partial(Einsum, "ij,jk->ik"), (sample((3, 2), 1).T, sample((2, 3), 2).T)
        ),
        Case(
            "bij,bj->bi strided",
            partial(Einsum, "bij,bj->bi"),
            (sample((2, 2, 6), 1)[..., ::2], sample((2, 3), 2)),
        ),
        Case("ii->i reversed", partial(Einsum, "ii->i"), (sample((3, 3), 1)[::-1],)),
    ],
}
