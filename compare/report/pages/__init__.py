"""One folder a page: `experiment.py` computes, `figure.py` draws, `page.py` renders results and imports no experiment."""
