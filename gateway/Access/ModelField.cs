using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace MlOps.Gateway.Access;

/// <summary>Where the requests of a call name their model, e.g. <c>pipeline.model</c>.</summary>
internal sealed class ModelField
{
    private readonly FieldDescriptor[] _path;

    /// <exception cref="InvalidOperationException">The request has no such field of text.</exception>
    public ModelField(MessageDescriptor request, string path)
    {
        var fields = new List<FieldDescriptor>();
        var message = request;
        foreach (var name in path.Split('.'))
        {
            var field = message?.FindFieldByName(name)
                ?? throw new InvalidOperationException($"{request.FullName} has no field {path}.");
            fields.Add(field);
            message = field.FieldType == FieldType.Message ? field.MessageType : null;
        }

        if (fields[^1].FieldType != FieldType.String || fields.Exists(f => f.IsRepeated))
            throw new InvalidOperationException($"{path} of {request.FullName} is no text.");
        _path = [.. fields];
        Numbers = [.. fields.Select(f => f.FieldNumber)];
    }

    public int[] Numbers { get; }

    /// <summary>The name in a message; empty where it has none.</summary>
    public string In(IMessage message)
    {
        for (var i = 0; i < _path.Length - 1; i++)
        {
            if (_path[i].Accessor.GetValue(message) is not IMessage inner) return "";
            message = inner;
        }

        return (string)_path[^1].Accessor.GetValue(message);
    }
}
