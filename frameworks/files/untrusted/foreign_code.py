"""One line of Python each, which saves the weights of another program's files so that gatewise reads them.

Names may come from a file, and are filled in as literals (`{path!r}`), which cannot add code. gatewise never runs a line.
"""

from __future__ import annotations

TENSORFLOW_JS = (
    "import json, pathlib, h5py, numpy as np; model = json.loads(pathlib.Path({name!r}).read_text()); "
    'groups = model["weightsManifest"]; at = 0; '
    'content = b"".join(pathlib.Path(path).read_bytes() for each in groups for path in each["paths"]); '
    'weights = [each for group in groups for each in group["weights"]]; '
    'topology = model["modelTopology"]; file = h5py.File("model.h5", "w"); '
    'file.attrs.update(model_config=json.dumps(topology["model_config"]), keras_version=topology["keras_version"]); '
    '[(file.create_dataset(each["name"].split("/")[0] + "/" + each["name"], data=np.frombuffer(content, each["dtype"], '
    'count := int(np.prod(each["shape"])), at).reshape(each["shape"])), '
    'at := at + count * np.dtype(each["dtype"]).itemsize) for each in weights]; '
    '[file[layer].attrs.update(weight_names=[each["name"] for each in weights if each["name"].split("/")[0] == layer]) '
    'for layer in file]; file.attrs["layer_names"] = list(file); file.close()'
)
"""Of a TensorFlow.js model of layers, by its JSON."""
CHAINER = (
    "import numpy as np; saved, owner = np.load({path!r}), {owner!r}; by_gate = lambda array: np.concatenate("
    "[array.reshape(-1, 4, *array.shape[1:])[:, gate] for gate in (1, 2, 0, 3)]); "
    'np.savez("lstm.npz", **{{"lstm.weight_ih_l0": by_gate(saved[owner + "upward/W"]), '
    '"lstm.weight_hh_l0": by_gate(saved[owner + "lateral/W"]), "lstm.bias_ih_l0": by_gate(saved[owner + "upward/b"]), '
    '"lstm.bias_hh_l0": 0 * saved[owner + "upward/b"]}})'
)
"""Of Chainer's LSTM, whose arrays' names begin with `{owner!r}`. It stores candidate, input, forget, output for each unit."""
PICKLED_KERAS = 'import pathlib, pickle; pickle.loads(pathlib.Path({path!r}).read_bytes()).save("model.keras")'
"""Of a pickled Keras model."""
