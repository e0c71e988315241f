# SPDX-License-Identifier: Apache-2.0
"""The parts of bench/compare: inputs of a workload, workers, measuring, rendering. Standard library only."""
