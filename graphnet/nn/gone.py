"""Keras' names for what graphnet does not have: an error that says what to write instead."""

from __future__ import annotations

from typing import Any

#: what there is in place of models made of inputs and outputs
CHAINS = (
    "graphnet has chains of layers, nn.Sequential, and models of one's own, whose call computes with layers; it has no "
    "models made of inputs and outputs"
)
UP_TO = f"{CHAINS}. nn.Sequential(model.layers[:n]) is the model up to a layer, with the same weights"
#: names of modules and functions of Keras
MODULES = {
    "applications": "it has no pretrained models; nn.load_model opens a Sequential that Keras saved",
    "KerasTensor": CHAINS,
    "mixed_precision": "it computes in float32 or float64: give a layer or an Input a dtype",
    "wrappers": "its scikit-learn estimators are nn.GraphnetClassifier and nn.GraphnetRegressor",
    "distribution": "it computes on one machine",
    "experimental": "what was experimental stands in nn.layers and nn.optimizers",
    "legacy": "the optimizers are those of nn.optimizers",
    "image": "its layers for images are in nn.layers: Rescaling, RandomFlip, RandomRotation, Resizing",
    "text": "number the words of a text, and give the numbers to nn.utils.pad_sequences and an Embedding layer",
    "np_utils": "to_categorical is nn.utils.to_categorical",
    "get_file": "it downloads nothing",
    "image_dataset_from_directory": "read the images into one array, as with PIL.Image and np.stack",
    "text_dataset_from_directory": "read the texts, number their words, and use pad_sequences",
    "TextVectorization": "number the words of a text, and give the numbers to nn.utils.pad_sequences and Embedding",
    "StringLookup": "number the words with np.unique(words, return_inverse=True)",
    "IntegerLookup": "number the values with np.unique(values, return_inverse=True)",
    "CategoryEncoding": "nn.utils.to_categorical makes rows of 0 and 1",
    "CuDNNLSTM": "write LSTM",
    "CuDNNGRU": "write GRU",
    "MultiHeadAttention": "nn.ops.dot_product_attention computes the attention, in a Layer of your own",
    "Variable": "a variable is gn.Parameter(value), in a layer self.add_weight(...)",
    "GradientTape": "gn.value_and_grad(f, model.trainable_variables)(x, y) gives the loss and its gradients",
    "serialize": "object.get_config() is what it is made of",
    "serialize_keras_object": "object.get_config() is what it is made of",
    "deserialize": "Class.from_config(config) makes an object of its configuration",
    "deserialize_keras_object": "Class.from_config(config) makes an object of its configuration",
    "CustomObjectScope": "hand classes over, nn.load_model(path, custom_objects={...}), or register them",
    "get_custom_objects": "hand classes over, nn.load_model(path, custom_objects={...}), or register them",
    "InputSpec": "a layer says what its input must be by fixed_axes and fixed_ndim",
    "Wrapper": "a layer that is an attribute of a Layer belongs to it",
    "AbstractRNNCell": "a cell is a Layer with state_size and call(inputs, states)",
    "load_img": "np.asarray(PIL.Image.open(path)) is an image as an array",
    "img_to_array": "np.asarray(image) is an image as an array",
    "Dot": "nn.ops.matmul or nn.ops.einsum, in a Layer of your own or a Lambda",
    "EinsumDense": "nn.ops.einsum with a weight, in a Layer of your own",
    "Discretization": "np.digitize(x, edges) numbers the ranges",
    "Attention": "nn.ops.dot_product_attention computes the attention, in a Layer of your own",
}


def absent(module: str, name: str) -> AttributeError:
    """The error for a name that the module does not have.

    >>> raise absent("graphnet.nn", "applications")
    Traceback (most recent call last):
    AttributeError: module 'graphnet.nn' has no attribute 'applications': it has no pretrained models; nn.load_model \
opens a Sequential that Keras saved
    """
    hint = f": {MODULES[name]}" if name in MODULES else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint}", name=name)


class Gone:
    """An attribute that Keras has, or had, and graphnet has not. An object may have one of its own under the name."""

    def __init__(self, instead: str):
        self.instead = instead

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        # The class lacks it too, so that nothing takes this object for the attribute.
        who = f"type object {owner.__name__!r}" if instance is None else f"{owner.__name__!r} object"
        raise AttributeError(f"{who} has no attribute {self.name!r}: {self.instead}")
