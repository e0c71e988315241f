# SPDX-License-Identifier: Apache-2.0
"""scikit-learn as a peer: the whole command of a small job with MLPClassifier. Its threads are those of its BLAS."""
import warnings

import sklearn
from sklearn.neural_network import MLPClassifier

import protocol


def job(work: protocol.Workload) -> None:
    x, labels, test_x, test_labels = work.job_data()
    warnings.simplefilter("ignore")  # ten epochs are not convergence
    hidden = [units for _, units in work.dense_shapes()][:-1]
    o = work.optimizer
    net = MLPClassifier(hidden, alpha=0, batch_size=work.batch, learning_rate_init=o["lr"], max_iter=work.epochs,
                        n_iter_no_change=work.epochs, random_state=1)
    protocol.answer(accuracy=float(net.fit(x, labels).score(test_x, test_labels)))


if __name__ == "__main__":
    protocol.main("sklearn", sklearn.__version__, {"job": job})
