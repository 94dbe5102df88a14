package edgeffnet.classifier

/** How the models of this module are fed. Generated with them: it changes when they do. */
object Contract {
    /** What is done to an image before a model sees it. */
    val PREPROCESSING =
        Preprocessing(
            resolution = {{ resolution }},
            crop = {{ crop }},
            interpolation = Interpolation.{{ interpolation }},
            channels = Channels.{{ channels }},
            mean = floatArrayOf({{ mean }}),
            std = floatArrayOf({{ std }}),
        )

    /** The asset that names the classes, one a line, in the order of the models' outputs. */
    const val LABELS = "edgeffnet/labels.txt"
{% for model in models %}

    /** {{ model.said }} */
    val {{ model.precision }} =
        Model(
            asset = "edgeffnet/{{ model.file }}",
            input = Input.{{ model.input }},
            output = Output.{{ model.output }},
            quantized = {{ model.quantized }},
        )
{% endfor %}

    /** The one that is used where none is named. */
    val DEFAULT = {{ models[0].precision }}

    /** All of them. */
    val MODELS = listOf({{ models | map(attribute="precision") | join(", ") }})
}
