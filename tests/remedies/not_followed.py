"""The remedies that no case follows, by module, subject and text, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from tests.remedies.collecting import ADVICE

INSTALL = "asks to install a package; tests/test_without_frameworks.py and tests/shipping check the refusal and the command"
REPORT = "of the machinery of the reports, for those who regenerate them in a checkout; its own tests check the refusal"
BACKEND = "needs another Keras backend, or another version of Keras or torch, than the tests run with"
OTHER_FILE = "asks for another file, or for this one to be made anew by the program that wrote it"
INSIDE = "only an error inside gatewise, or a stand-in of a test, leads there"
ELSEWHERE = "needs a full disk or a closed output; the tests of its module check the refusal"
HELPER = "a helper that shares its name with one that passes on a remedy; it states none"
SHIPPING = "needs another distribution that installs the same packages; tests/shipping/test_installations.py checks it"
SYSTEM = "needs a system without limits on memory; tests/frameworks/files/untrusted/test_without_posix.py checks it"
FILES = "the refusal of an array becomes a caveat of its layer; tests/frameworks/files checks the caveats"
KERAS = "passes on an error of Keras itself; no built-in layer is known to lead there"
FOREIGN = "of a file of another program; tests/frameworks/files/untrusted/test_foreign_in_frameworks.py runs the printed lines"
MEMORY = "needs a system that starts no further process; the tests of its module check the refusal"
GAP = "comes after a layer of the user's own, whose shape no file states; what it can be replaced by is known to the user alone"
SIDEWAYS = "needs a module that reaches beside itself, which the copy of it that is recorded does not keep"
TOY = "needs a third framework; tests/frameworks/toy checks the refusal"

NOT_FOLLOWED: Mapping[str, Mapping[tuple[str, str], str]] = {
    "compare/commands/printing.py": {
        ("the output", "{}"): ELSEWHERE,
    },
    "compare/commands/report.py": {
        ("{}", "Choose another --out."): ELSEWHERE,
    },
    "compare/commands/searching/asking.py": {
        ("the search", "Free memory, or end other processes, and try again."): MEMORY,
    },
    "compare/commands/searching/user_files.py": {
        ("a warning", "{}"): SHIPPING,
    },
    "compare/facade/ownership.py": {
        ("a warning", "{}"): SHIPPING,
    },
    "compare/report/long_runs.py": {
        (
            "compare.report.run_long_part",
            "Fix what the message names and run `gatewise report --full` again: finished steps are kept.",
        ): REPORT,
        ("{}", "Delete the folder {} to start again, or install the versions that it was made with."): REPORT,
        ("{}", "Delete it: the part resumes from its last checkpoint."): REPORT,
        ("{}", "Wait until the other run has ended, or choose another --out."): REPORT,
    },
    "compare/report/making.py": {
        (
            "compare.report.run_experiments",
            "Install what the message names; --debug shows everything that was printed.",
        ): REPORT,
        ("the other pages' results", "Run all pages: leave out --only, or write to another --out."): REPORT,
        ("the page", "Choose one of them."): REPORT,
    },
    "compare/report/pages/options/experiment/signatures.py": {
        ("the report on options", "Run it with a newer Python."): REPORT,
    },
    "compare/report/pages/return_values/experiment/grid.py": {
        ("forms of one kind", "Give them two kinds in compare/report/pages/return_values/experiment/forms.py."): REPORT,
    },
    "compare/report/processes.py": {
        ("{}", "Free memory, or end other processes, and try again."): MEMORY,
        ("{}", "{}"): REPORT,
    },
    "compare/report/results.py": {
        ("{}", "Run `gatewise report`."): REPORT,
        ("{}", "Delete it, and run `gatewise report`."): REPORT,
    },
    "compare/report/studies/data.py": {
        (
            "{}",
            "Run `make report` in a clone of the repository or in the unpacked source archive, or choose another page: `gatewise report --only PAGE`.",
        ): REPORT,
    },
    "compare/report/studies/fetching.py": {
        ("{}", "Connect to a package index, or name one in PIP_INDEX_URL."): REPORT,
        ("the package unearth", "Install it with: pip install 'gatewise[originals]'."): INSTALL,
    },
    "compare/report/studies/originals.py": {
        ("{}", "Fetch it with `{}`."): REPORT,
        ("{}", "Delete the archive and fetch it again with `{}`."): REPORT,
    },
    "compare/report/studies/real_models/kept.py": {
        ("the layer {}", "Read it from the original file: see compare.report.studies.real_models.files."): REPORT,
    },
    "compare/report/studies/real_models/recorded.py": {
        ("{}", "Choose one of them."): REPORT,
    },
    "compare/report/studies/translation/batches.py": {
        ("batch_size", "Use smaller batches or more words."): REPORT,
    },
    "compare/report/studies/translation/copying.py": {
        ("{}", "{}"): HELPER,
    },
    "compare/report/studies/translation/defaults.py": {
        ("optimizer_config", "Compare other settings with build_sides."): REPORT,
        ("the optimizer", "Choose Adam, AdamW, SGD, RMSprop, Adagrad, Adadelta, Adamax, Nadam or Adafactor."): REPORT,
        ("a default", "Name the defaults to switch to PyTorch's."): REPORT,
    },
    "compare/report/target.py": {
        ("{}", "Install them with: pip install 'gatewise[reports]'."): INSTALL,
    },
    "compare/training/keras.py": {
        ("a training on Keras", "Set KERAS_BACKEND before Keras is imported."): BACKEND,
    },
    "frameworks/errors.py": {
        ("{}", "Install it with: pip install 'gatewise[{}]'."): INSTALL,
    },
    "frameworks/files/building/keras.py": {
        ("{}", "Build them one at a time, from .parts."): INSIDE,
    },
    "frameworks/files/building/parameters.py": {
        ("the cells of {}", "Build them one at a time, from .parts."): INSIDE,
    },
    "frameworks/files/building/pytorch.py": {
        ("{}", "Build them one at a time, from .parts."): INSIDE,
    },
    "frameworks/models/keras_source/unit.py": {
        ("the parameter {}", "Pass it as an argument."): SIDEWAYS,
    },
    "frameworks/models/reading/live.py": {
        ("the layer {}", "Save the model with Keras, and pass the path of the file."): KERAS,
    },
    "frameworks/models/reading/possible.py": {
        ("{} of {} {}", "Check that the architecture belongs to a model that Keras built."): OTHER_FILE,
    },
    "frameworks/models/reading/order.py": {
        ("{}", "Check that the architecture belongs to a model that Keras built."): OTHER_FILE,
    },
    "frameworks/models/reading/wiring.py": {
        ("{}", "Keras refuses such a model too: rename one of them in the JSON."): OTHER_FILE,
        ("{}", "{}"): OTHER_FILE,
    },
    "frameworks/files/keras/cells.py": {
        ("{}", "{}"): FILES,
        ("{}", "Save the model in one of these."): OTHER_FILE,
        (ADVICE, "Save the model in one of these."): OTHER_FILE,
    },
    "frameworks/files/untrusted/derived_arrays.py": {
        ("{}", "Call .clone() before saving."): FILES,
    },
    "frameworks/files/untrusted/folders.py": {
        (ADVICE, "Open the model that it was made from."): OTHER_FILE,
    },
    "frameworks/files/untrusted/foreign_files.py": {
        (ADVICE, "Fetch the file again: the server sent the page instead of it."): OTHER_FILE,
        (ADVICE, "Fetch the file with git lfs pull."): OTHER_FILE,
        (
            ADVICE,
            "In R, save the model with save_model_hdf5() of keras, or its arrays with safe_save_file() of safetensors.",
        ): OTHER_FILE,
        (ADVICE, "Load it with scipy.io.loadmat. {}"): OTHER_FILE,
        (ADVICE, "Read it with h5py, which shows the axes of each array in reverse. {}"): OTHER_FILE,
        (ADVICE, "Save its arrays with np.savez under torch's names, as in NAME.weight_ih_l0, and open that file."): OTHER_FILE,
        (ADVICE, "Open the checkpoint that it was converted from."): OTHER_FILE,
        (
            ADVICE,
            "Open the model that it was frozen from, or read its constants with tf.compat.v1.GraphDef.FromString and tf.make_ndarray. {}",
        ): FOREIGN,
        (ADVICE, "Open the model that it was made from."): OTHER_FILE,
        (ADVICE, "Pass its folder."): OTHER_FILE,
        (ADVICE, "Pass its model.json."): OTHER_FILE,
    },
    "frameworks/files/untrusted/h5_process.py": {
        (
            "the process that reads h5 files, {} {}",
            "Free memory, or raise the limits that `ulimit -a` shows, and try again: the file itself has not been judged.",
        ): MEMORY,
    },
    "frameworks/files/untrusted/h5.py": {
        (
            "a warning",
            "h5 files are parsed without a limit on memory, which this system cannot set; the limit of {} s holds. Open only files that you trust.",
        ): SYSTEM,
    },
    "frameworks/files/untrusted/source.py": {
        ("{}", "If you trust it, load it with the program that wrote it, and save only the weights."): OTHER_FILE,
    },
    "frameworks/files/writing/sidecar.py": {
        ("{}", "Read the file with the version of gatewise that wrote it."): OTHER_FILE,
    },
    "frameworks/files/writing/torch/layout.py": {
        ("the array {} of {}", "Give the layers other names."): INSIDE,
    },
    "frameworks/keras/activations.py": {
        ("the activation {}", "Install a newer Keras."): BACKEND,
    },
    "frameworks/keras/adapter.py": {
        (
            "{}'s own call with {}",
            "Change the flags with which Keras cannot run it, or call it yourself to see the whole error.",
        ): KERAS,
    },
    "frameworks/keras/gradients.py": {
        ("Keras's backend", "Choose it with KERAS_BACKEND before Keras is first imported."): BACKEND,
    },
    "frameworks/keras/spec.py": {
        ("the weights of {} {}", "JAX stores float64 only with JAX_ENABLE_X64=1 in the environment."): BACKEND,
    },
    "frameworks/keras_in_torch/optimizers/porting.py": {
        (
            "the settings of keras.optimizers.{}",
            "This version of Keras has settings that are not known here: use the pinned version.",
        ): BACKEND,
    },
    "frameworks/models/pytorch/recurrent/layers.py": {
        ("{}", "gatewise inspect shows what the file states of it."): INSIDE,
    },
    "frameworks/kinds/resolving.py": {
        ("the config of a {}", "Save the model again with the version of Keras that wrote it."): OTHER_FILE,
        ("{} of a {}", "If a newer Keras or a class of your own has it, write this layer by hand."): OTHER_FILE,
        ("{} of a {}", "Build the layer without it and save the model again, or write this layer by hand."): OTHER_FILE,
    },
    "frameworks/models/reading/shapes/inference.py": {
        (
            "what {}, a {}, reads",
            "Its architecture and its weights are of different models, or the architecture was changed.",
        ): OTHER_FILE,
    },
    "frameworks/models/pytorch/layers/given.py": {
        ("the input of {} {}", "Replace the layer before it, which hides the shape, and save the model again."): GAP,
    },
    "frameworks/registry.py": {
        ("a layer of {}", "Use gatewise.convert, which builds the framework's own layer if that can represent this one."): TOY,
    },
    "frameworks/torch_in_keras/optimizers.py": {
        ("have settings that are known here", "Use the pinned version of torch"): BACKEND,
    },
}
