# SPDX-License-Identifier: Apache-2.0
"""NumPy as a peer in filling arrays with random numbers: PCG64, float32, one thread; QR by its LAPACK."""
import numpy as np

import protocol


class Init:
    def __init__(self, work: protocol.Workload):
        rng, shape = np.random.default_rng(1), (work.units, work.spec["in"])
        out, bound = np.zeros(shape, np.float32), (6 / sum(shape)) ** .5

        def normal():
            rng.standard_normal(out=out, dtype=np.float32)
            out.__imul__(np.float32(work.std))

        def xavier_uniform():
            rng.random(out=out, dtype=np.float32)
            out.__isub__(np.float32(.5))
            out.__imul__(np.float32(2 * bound))

        def orthogonal():
            q, r = np.linalg.qr(rng.standard_normal(shape, np.float32))
            np.multiply(q, np.sign(np.diag(r)), out=out)
        self.fill, self.out = {"normal": normal, "xavier_uniform": xavier_uniform, "orthogonal": orthogonal}[work.init], out

    def prove(self, steps: int) -> dict:
        self.fill()
        return protocol.deviation(self.out)

    def run(self, n: int) -> None:
        for _ in range(n):
            self.fill()


if __name__ == "__main__":
    protocol.main("numpy", np.__version__, {"init": Init})
