using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Models;

namespace MlOps.Inference.Predictions;

/// <summary>Translates between table columns and tensors.</summary>
internal static class Columns
{
    public static int CountOf(Column column) => column.ValuesCase switch
    {
        Column.ValuesOneofCase.Doubles => column.Doubles.Values.Count,
        Column.ValuesOneofCase.Integers => column.Integers.Values.Count,
        Column.ValuesOneofCase.Texts => column.Texts.Values.Count,
        Column.ValuesOneofCase.Booleans => column.Booleans.Values.Count,
        Column.ValuesOneofCase.Times => column.Times.Values.Count,
        _ => 0,
    };

    /// <summary>Whether the row has no value by the bitmap; NaN is the datatype's own business.</summary>
    public static bool IsMissing(Column column, int row) =>
        row >> 3 < column.Missing.Length && (column.Missing[row >> 3] & (1 << (row & 7))) != 0;

    /// <summary>
    /// Appends the row's value to the input, numbers as its datatype has them: FP32 takes integers and doubles rounded to
    /// nearest, integer inputs take integers in range. Null when done, else the rule that is broken.
    /// </summary>
    public static string? TryAppend(InputSlot slot, Column column, int row)
    {
        var datatype = slot.Layout.Datatype;
        if (IsMissing(column, row)) return slot.TryAppendMissing() ? null : "must not be missing";
        return column.ValuesCase switch
        {
            Column.ValuesOneofCase.Texts when datatype.IsText => slot.TryAppendText(
                System.Text.Encoding.UTF8.GetBytes(column.Texts.Values[row])) ? null : "must be UTF-8 text",
            Column.ValuesOneofCase.Doubles when datatype.IsFloating => AppendFloating(slot, column.Doubles.Values[row]),
            Column.ValuesOneofCase.Integers when datatype.IsFloating => AppendFloating(slot, column.Integers.Values[row]),
            Column.ValuesOneofCase.Integers when !datatype.IsText && datatype.Element != TensorElementType.Bool =>
                TryAppendInteger(slot, column.Integers.Values[row]) ? null : $"must be within the range of {datatype.Name}",
            Column.ValuesOneofCase.Times when datatype.Element == TensorElementType.Int64 =>
                TryAppendInteger(slot, column.Times.Values[row]) ? null : "must be a time",
            Column.ValuesOneofCase.Booleans when datatype.Element == TensorElementType.Bool =>
                AppendBoolean(slot, column.Booleans.Values[row]),
            _ => $"must be {WordFor(datatype)}, not {column.ValuesCase.ToString().ToLowerInvariant()}",
        };
    }

    /// <summary>Appends a number to a floating input, rounded to nearest as its datatype has it.</summary>
    public static void AppendNumber(InputSlot slot, double value)
    {
        switch (slot.Layout.Datatype.Element)
        {
            case TensorElementType.Float: slot.Append((float)value); break;
            case TensorElementType.Double: slot.Append(value); break;
            case TensorElementType.BFloat16: slot.Append(Tensors.ToBFloat16((float)value)); break;
            default: slot.Append((System.Half)value); break;
        }
    }

    public static bool TryAppendInteger(InputSlot slot, long value)
    {
        switch (slot.Layout.Datatype.Element)
        {
            case TensorElementType.Int64: slot.Append(value); return true;
            case TensorElementType.Int32 when value == (int)value: slot.Append((int)value); return true;
            case TensorElementType.Int16 when value == (short)value: slot.Append((short)value); return true;
            case TensorElementType.Int8 when value == (sbyte)value: slot.Append((sbyte)value); return true;
            case TensorElementType.UInt64 when value >= 0: slot.Append((ulong)value); return true;
            case TensorElementType.UInt32 when value == (uint)value: slot.Append((uint)value); return true;
            case TensorElementType.UInt16 when value == (ushort)value: slot.Append((ushort)value); return true;
            case TensorElementType.UInt8 when value == (byte)value: slot.Append((byte)value); return true;
            default: return false;
        }
    }

    /// <summary>Sets a value there is; false when it is out of the datatype's range.</summary>
    public static bool TrySetInteger(InputSlot slot, int element, long value)
    {
        switch (slot.Layout.Datatype.Element)
        {
            case TensorElementType.Int64: slot.Set(element, value); return true;
            case TensorElementType.Int32 when value == (int)value: slot.Set(element, (int)value); return true;
            case TensorElementType.Int16 when value == (short)value: slot.Set(element, (short)value); return true;
            case TensorElementType.Int8 when value == (sbyte)value: slot.Set(element, (sbyte)value); return true;
            case TensorElementType.UInt64 when value >= 0: slot.Set(element, (ulong)value); return true;
            case TensorElementType.UInt32 when value == (uint)value: slot.Set(element, (uint)value); return true;
            case TensorElementType.UInt16 when value == (ushort)value: slot.Set(element, (ushort)value); return true;
            case TensorElementType.UInt8 when value == (byte)value: slot.Set(element, (byte)value); return true;
            default: return false;
        }
    }

    /// <summary>Sets a value there is, rounded to nearest as the datatype has it.</summary>
    public static void SetFloating(InputSlot slot, int element, double value)
    {
        switch (slot.Layout.Datatype.Element)
        {
            case TensorElementType.Float: slot.Set(element, (float)value); break;
            case TensorElementType.Double: slot.Set(element, value); break;
            case TensorElementType.BFloat16: slot.Set(element, Tensors.ToBFloat16((float)value)); break;
            default: slot.Set(element, (System.Half)value); break;
        }
    }

    public static Column Of(InputSlot slot)
    {
        if (!slot.Layout.Datatype.IsText) return Of(slot.Layout, slot.Layout.Name, slot.Bytes, 0, 1, slot.Count);
        var texts = new TextValues();
        for (var i = 0; i < slot.Count; i++) texts.Values.Add(System.Text.Encoding.UTF8.GetString(slot.Text(i)));
        return new Column { Name = slot.Layout.Name, Texts = texts };
    }

    /// <summary>One column per value of a row: <c>name</c>, or <c>name[0]</c> … when there are several.</summary>
    public static void AddTo(Table table, OutputSlot output, int rows)
    {
        var width = output.Count / rows;
        for (var at = 0; at < width; at++)
        {
            var name = width == 1 ? output.Layout.Name : $"{output.Layout.Name}[{at}]";
            table.Columns.Add(output.Layout.Datatype.IsText
                ? TextsOf(name, output, at, width, rows)
                : Of(output.Layout, name, output.Bytes, at, width, rows));
        }
    }

    private static Column TextsOf(string name, OutputSlot output, int at, int width, int rows)
    {
        var texts = new TextValues();
        for (var row = 0; row < rows; row++)
        {
            texts.Values.Add(System.Text.Encoding.UTF8.GetString(output.Text((row * width) + at)));
        }

        return new Column { Name = name, Texts = texts };
    }

    private static Column Of(TensorLayout layout, string name, ReadOnlySpan<byte> bytes, int at, int width, int rows)
    {
        var column = new Column { Name = name };
        if (layout.Datatype.IsFloating)
        {
            column.Doubles = new DoubleValues();
            column.Doubles.Values.Capacity = rows;
            for (var i = at; i < rows * width; i += width) column.Doubles.Values.Add(Tensors.NumberAt(layout.Datatype, bytes, i));
        }
        else if (layout.Datatype.Element == TensorElementType.Bool)
        {
            column.Booleans = new BooleanValues();
            for (var i = at; i < rows * width; i += width) column.Booleans.Values.Add(bytes[i] != 0);
        }
        else
        {
            column.Integers = new IntegerValues();
            for (var i = at; i < rows * width; i += width) column.Integers.Values.Add(Tensors.IntegerAt(layout.Datatype, bytes, i));
        }

        return column;
    }

    private static string? AppendFloating(InputSlot slot, double value)
    {
        AppendNumber(slot, value);
        return null;
    }

    private static string? AppendBoolean(InputSlot slot, bool value)
    {
        slot.Append(value);
        return null;
    }

    private static string WordFor(Datatype datatype) => datatype.IsText ? "text"
        : datatype.IsFloating ? "numbers"
        : datatype.Element == TensorElementType.Bool ? "booleans"
        : "integers";
}
