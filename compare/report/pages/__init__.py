"""One folder per page: `experiment.py` computes, `figure.py` draws, `page.py` renders results and imports no experiment."""
