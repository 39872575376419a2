"""Work on many items in several processes that end when their parent does."""

import concurrent.futures
import multiprocessing
import os
import threading


def processors():
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def imap(function, items, n_workers, chunk=1):
    """function(item) of every item, in their order, as they become ready.

    Args:
        function: of a module, not a lambda; its results must be picklable, as the items.
        items: any iterable of known length.
        n_workers: processes; 1 works in this one.
        chunk: items that travel together; more for short work.

    Yields:
        The results.
    """
    if n_workers == 1:
        yield from map(function, items)
        return
    with open_pool(n_workers) as pool:
        try:
            yield from pool.map(function, items, chunksize=chunk)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def open_pool(n_workers):
    """A ProcessPoolExecutor of so many processes, for work that comes again and again; they start with the first of it."""
    # Fresh processes: a fork would copy the threads' locks of whatever the caller has loaded.
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(n_workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent():
    """A killed parent closes no queue: its workers would wait for ever."""
    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
