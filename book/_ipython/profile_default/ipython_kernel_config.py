"""Settings of the kernels that execute the chapters."""

c = get_config()  # noqa: F821 (IPython provides it)
c.IPKernelApp.log_level = 40  # its warning about TCP would fill the build's output
c.HistoryManager.enabled = False  # parallel kernels would wait for one database
