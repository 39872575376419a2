"""Which operators, in which versions and integer types, every runtime of this project takes. A test asks the runtimes themselves."""

# Highest version of each builtin that both tflite-runtime 2.14 and LiteRT take; a file with a higher one is refused when it is opened.
VERSIONS = {
    "ABS": 3, "ADD": 5, "ADD_N": 1, "ARG_MAX": 2, "ARG_MIN": 2, "ASSIGN_VARIABLE": 1, "ATAN2": 1, "AVERAGE_POOL_2D": 3,
    "BATCH_MATMUL": 3, "BATCH_TO_SPACE_ND": 4, "BIDIRECTIONAL_SEQUENCE_LSTM": 3, "BIDIRECTIONAL_SEQUENCE_RNN": 3, "BITCAST": 1,
    "BITWISE_XOR": 1, "BROADCAST_ARGS": 1, "BROADCAST_TO": 3, "BUCKETIZE": 1, "CALL_ONCE": 1, "CAST": 4, "COMPLEX_ABS": 1,
    "CONCATENATION": 3, "CONV_2D": 6, "CONV_3D": 1, "CONV_3D_TRANSPOSE": 1, "COS": 1, "DENSIFY": 1, "DEPTHWISE_CONV_2D": 6,
    "DEPTH_TO_SPACE": 1, "DEQUANTIZE": 4, "DIV": 2, "DYNAMIC_UPDATE_SLICE": 1, "EMBEDDING_LOOKUP": 3, "EMBEDDING_LOOKUP_SPARSE": 1,
    "EQUAL": 4, "EXP": 2, "EXPAND_DIMS": 1, "FAKE_QUANT": 2, "FILL": 3, "FLOOR": 1, "FLOOR_DIV": 3, "FLOOR_MOD": 2,
    "FULLY_CONNECTED": 9, "GATHER": 6, "GATHER_ND": 4, "GELU": 2, "GREATER": 2, "GREATER_EQUAL": 3, "HARD_SWISH": 1, "HASHTABLE_LOOKUP": 1,
    "IF": 1, "IMAG": 1, "L2_NORMALIZATION": 2, "L2_POOL_2D": 1, "LEAKY_RELU": 2, "LESS": 3, "LESS_EQUAL": 2,
    "LOCAL_RESPONSE_NORMALIZATION": 1,
    "LOG": 1, "LOGICAL_AND": 1, "LOGICAL_NOT": 1, "LOGICAL_OR": 1, "LOGISTIC": 3, "LOG_SOFTMAX": 2, "LSH_PROJECTION": 1, "LSTM": 4,
    "MATRIX_DIAG": 1, "MATRIX_SET_DIAG": 1, "MAXIMUM": 4, "MAX_POOL_2D": 3, "MEAN": 3, "MINIMUM": 4, "MIRROR_PAD": 3, "MUL": 7,
    "MULTINOMIAL": 1, "NEG": 1, "NON_MAX_SUPPRESSION_V4": 1, "NON_MAX_SUPPRESSION_V5": 1, "NOT_EQUAL": 3, "ONE_HOT": 1, "PACK": 3,
    "PAD": 4, "PADV2": 4, "POW": 1, "PRELU": 1, "QUANTIZE": 2, "RANDOM_STANDARD_NORMAL": 1, "RANDOM_UNIFORM": 1, "RANGE": 1,
    "RANK": 1, "READ_VARIABLE": 1, "REAL": 1, "REDUCE_ALL": 1, "REDUCE_ANY": 1, "REDUCE_MAX": 3, "REDUCE_MIN": 3, "REDUCE_PROD": 2,
    "RELU": 3, "RELU6": 3, "RELU_0_TO_1": 1, "RELU_N1_TO_1": 1, "RESHAPE": 1, "RESIZE_BILINEAR": 4, "RESIZE_NEAREST_NEIGHBOR": 4,
    "REVERSE_SEQUENCE": 1, "REVERSE_V2": 2, "RIGHT_SHIFT": 1, "RNN": 3, "RSQRT": 2, "SCATTER_ND": 1, "SELECT": 2, "SELECT_V2": 1,
    "SHAPE": 1, "SIGN": 1, "SIN": 1, "SKIP_GRAM": 1, "SLICE": 5, "SOFTMAX": 3, "SPACE_TO_BATCH_ND": 4, "SPACE_TO_DEPTH": 2,
    "SPARSE_TO_DENSE": 3, "SPLIT": 4, "SPLIT_V": 2, "SQRT": 1, "SQUARE": 1, "SQUARED_DIFFERENCE": 2, "SQUEEZE": 1, "STRIDED_SLICE": 4,
    "SUB": 5, "SUM": 2, "SVDF": 4, "TANH": 3, "TILE": 2, "TOPK_V2": 3, "TRANSPOSE": 5, "TRANSPOSE_CONV": 3,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 3, "UNIDIRECTIONAL_SEQUENCE_RNN": 3, "UNIQUE": 1, "UNPACK": 4, "UNSORTED_SEGMENT_MAX": 1,
    "UNSORTED_SEGMENT_MIN": 1, "UNSORTED_SEGMENT_PROD": 1, "UNSORTED_SEGMENT_SUM": 1, "VAR_HANDLE": 1, "WHERE": 2, "WHILE": 1,
    "ZEROS_LIKE": 1,
}
# Activation types with which tflite-runtime, LiteRT (both by their reference kernels) and TFLite Micro gave the same integers. RELU6 on
# its own is left out because TFLite Micro differs; so are int16 forms that some kernels lack or round otherwise (LOGISTIC, TANH, SOFTMAX,
# FULLY_CONNECTED) and that nothing here emits. FULLY_CONNECTED is left out altogether: each of the three rounds its ties otherwise, see
# docs/integer_file.md; pointwise_products computes it as CONV_2D.
INT8, BOTH = ("int8",), ("int8", "int16")
INTEGER_TYPES = {
    "ABS": BOTH, "ADD": BOTH, "AVERAGE_POOL_2D": BOTH, "BATCH_MATMUL": BOTH, "CONCATENATION": BOTH, "CONV_2D": BOTH,
    "DEPTHWISE_CONV_2D": BOTH, "GREATER": INT8, "L2_NORMALIZATION": INT8, "LOGISTIC": INT8, "MAXIMUM": BOTH,
    "MAX_POOL_2D": BOTH, "MEAN": INT8, "MINIMUM": BOTH, "MUL": BOTH, "PACK": BOTH, "PAD": BOTH, "QUANTIZE": (*BOTH, "uint8"), "RELU": BOTH,
    "RESHAPE": BOTH, "SELECT_V2": INT8, "SOFTMAX": INT8, "SPLIT": BOTH, "SPLIT_V": BOTH, "STRIDED_SLICE": BOTH, "SUB": BOTH, "TANH": INT8,
    "TRANSPOSE": BOTH,
}
# What a file for one runtime alone may use beside them, for there is no other to agree with.
ONE_RUNTIME_TYPES = {**INTEGER_TYPES, "FULLY_CONNECTED": INT8}
# Operators on the states of a streaming file; they hold no numbers of their own.
VARIABLE_OPERATORS = ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")
