"""What a fork does to plans: the compiler and BLAS come to rest before it, and a child gets new locks and threads.

All hooks stand here, in the order in which they run: those of an `around` before the fork from first to last, in the
child from last to first.
"""

from graphnet import forks
from graphnet.plans import compiler_thread, locks
from graphnet.plans.blas_threads import one_thread
from graphnet.plans.code import compiler, thread_pool

forks.around(compiler.before_fork, compiler.after_fork, compiler.in_child)
forks.around(one_thread.before_fork, one_thread.after_fork, one_thread.in_child)
forks.in_child(thread_pool.in_child)
forks.in_child(compiler_thread.in_child)
forks.in_child(locks.in_child)
