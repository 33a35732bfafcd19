using System.Globalization;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>
/// The binary tensor extension of the Open Inference Protocol: the body is JSON, then raw tensors in the order of the
/// inputs; a header says how long the JSON is.
/// </summary>
internal ref struct BinaryTail(ReadOnlySpan<byte> bytes)
{
    public const string LengthHeader = "Inference-Header-Content-Length";
    public const string SizeParameter = "binary_data_size";
    public const string Extension = "binary_tensor_data";
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Bytes of JSON by the header; −1: the body is all JSON; 0: the body is all one raw tensor.</summary>
    /// <exception cref="InvalidRequestException">HEADER_INVALID.</exception>
    public static int JsonLength(HttpRequest request, int bodyLength)
    {
        if (!request.Headers.TryGetValue(LengthHeader, out var header)) return -1;
        if (int.TryParse(header, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= bodyLength) return length;
        throw new InvalidRequestException(
            "HEADER_INVALID", $"{LengthHeader} must be a number of bytes within the body of {bodyLength}.");
    }

    /// <summary>Takes the next <paramref name="size"/> bytes.</summary>
    /// <exception cref="InvalidRequestException">BINARY_TORN: there are fewer.</exception>
    public ReadOnlySpan<byte> Take(long size)
    {
        if (size < 0 || size > _rest.Length)
        {
            throw new InvalidRequestException(
                "BINARY_TORN", $"An input's {SizeParameter} is {size} where {_rest.Length} bytes are left in the body behind its JSON.");
        }

        var taken = _rest[..(int)size];
        _rest = _rest[(int)size..];
        return taken;
    }

    /// <exception cref="InvalidRequestException">BINARY_TORN: bytes are left.</exception>
    public readonly void End()
    {
        if (_rest.Length > 0)
        {
            throw new InvalidRequestException("BINARY_TORN", $"The body has {_rest.Length} bytes beyond the {SizeParameter} of its inputs.");
        }
    }

    /// <summary>A body that is one raw tensor, its shape found from its size; BYTES are one element without its length.</summary>
    /// <exception cref="InvalidRequestException">INPUT_INVALID.</exception>
    public static void ReadAll(ReadOnlySpan<byte> body, Workspace workspace)
    {
        var violations = new Violations();
        violations.AddIf(
            workspace.Inputs.Length != 1, LengthHeader, $"may be 0 for models of one input only, not of {workspace.Inputs.Length}");
        violations.ThrowIfAny("INPUT_INVALID");
        var slot = workspace.Inputs[0];
        var layout = slot.Layout;
        slot.TryBegin(violations);
        Span<long> shape = stackalloc long[layout.Shape.Length];
        if (!TryInfer(layout, body.Length, shape))
        {
            violations.Add(layout.Name, $"cannot have {body.Length} bytes of {layout.Datatype.Name} in shape {layout.ShapeText}");
        }
        else if (slot.TryShape(layout.Datatype.Name, shape, violations))
        {
            if (!layout.Datatype.IsText) RawTensors.Read(body, slot, violations);
            else violations.AddIf(!slot.TryAppendText(body), layout.Name, "must be UTF-8 text");
        }

        workspace.Check(violations);
    }

    // At most one size may be open: the bytes decide it.
    private static bool TryInfer(Models.TensorLayout layout, int bytes, Span<long> shape)
    {
        var open = -1;
        var fixedElements = 1L;
        for (var i = 0; i < shape.Length; i++)
        {
            shape[i] = layout.Shape[i];
            if (shape[i] >= 0) fixedElements *= shape[i];
            else if (open >= 0) return false;
            else open = i;
        }

        var elements = layout.Datatype.IsText ? 1 : bytes / layout.Datatype.Size;
        if (fixedElements < 1 || elements % fixedElements != 0) return false;
        if (open >= 0) shape[open] = elements / fixedElements;
        return open >= 0 || elements == fixedElements;
    }
}
