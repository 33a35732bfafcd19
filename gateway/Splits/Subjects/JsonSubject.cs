using System.Buffers;
using System.Text.Json;

namespace MlOps.Gateway.Splits.Subjects;

/// <summary>
/// Finds the subject in the beginning of a REST body of any of the protocols: an input by name among the Open Inference
/// Protocol's <c>inputs</c>, or in the first of <c>rows</c>, <c>instances</c> or <c>dataframe_records</c>, e.g.
/// <c>{"rows":[{"user":"u-17","hour":7}]}</c>; or whatever a pointer leads to. What is found depends on the bytes alone, not on
/// how many of them are there yet.
/// </summary>
internal static class JsonSubject
{
    internal enum Outcome
    {
        /// <summary>The bytes so far do not decide.</summary>
        NeedsMore,

        /// <summary>It is read, or the body has none that counts.</summary>
        Decided,
    }

    /// <param name="body">From its first byte on.</param>
    /// <param name="isAll">No more bytes will come.</param>
    /// <param name="jsonLength">Where raw tensors follow the JSON: its length; else negative.</param>
    /// <param name="field">What to look for.</param>
    /// <param name="subject">Takes it.</param>
    public static Outcome Find(
        in ReadOnlySequence<byte> body, bool isAll, long jsonLength, SubjectField field, ref SubjectText subject)
    {
        var isWhole = jsonLength >= 0 && body.Length >= jsonLength;
        var json = isWhole ? body.Slice(0, jsonLength) : body;
        var search = new Search(field);
        try
        {
            var reader = new Utf8JsonReader(json, isFinalBlock: isAll || isWhole, state: default);
            var outcome = search.Run(ref reader, ref subject);
            if (outcome == Outcome.NeedsMore) return isAll ? Outcome.Decided : outcome;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The service says what is wrong with it.
            return Outcome.Decided;
        }

        return search.RawAt < 0 || jsonLength < 0
            ? Outcome.Decided
            : ReadRaw(body, isAll, jsonLength + search.RawAt, search.Type, ref subject);
    }

    private static Outcome ReadRaw(
        in ReadOnlySequence<byte> body, bool isAll, long at, TensorType type, ref SubjectText subject)
    {
        // Length and characters of a text, the value of anything else.
        Span<byte> raw = stackalloc byte[4 + 4 * SubjectText.MaxLength];
        var there = body.Length <= at ? 0 : (int)Math.Min(raw.Length, body.Length - at);
        if (there > 0) body.Slice(at, there).CopyTo(raw);
        type.SetFromRaw(raw[..there], ref subject);
        return subject.Length > 0 || there == raw.Length || isAll ? Outcome.Decided : Outcome.NeedsMore;
    }

    private struct Search(SubjectField field)
    {
        private JsonScalar _value;

        /// <summary>Where the input's raw bytes lie behind the JSON; negative: they do not.</summary>
        public long RawAt { get; private set; } = -1;

        public TensorType Type { get; private set; }

        public Outcome Run(ref Utf8JsonReader reader, ref SubjectText subject)
        {
            if (!reader.Read()) return Outcome.NeedsMore;
            if (field.Input.IsEmpty) return Follow(ref reader, ref subject);
            if (reader.TokenType != JsonTokenType.StartObject) return Outcome.Decided;
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName) return Outcome.Decided;
                var isInputs = reader.ValueTextEquals("inputs"u8);
                var isRows = reader.ValueTextEquals("rows"u8) || reader.ValueTextEquals("instances"u8)
                    || reader.ValueTextEquals("dataframe_records"u8);
                if (!reader.Read()) return Outcome.NeedsMore;
                if (isInputs && reader.TokenType == JsonTokenType.StartArray) return Tensors(ref reader, ref subject);
                if (isRows && reader.TokenType == JsonTokenType.StartArray) return FirstRow(ref reader, ref subject);
                if (!reader.TrySkip()) return Outcome.NeedsMore;
            }

            return Outcome.NeedsMore;
        }

        private Outcome FirstRow(ref Utf8JsonReader reader, ref SubjectText subject)
        {
            if (!reader.Read()) return Outcome.NeedsMore;
            if (reader.TokenType != JsonTokenType.StartObject) return Outcome.Decided;
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName) return Outcome.Decided;
                var isWanted = reader.ValueTextEquals(field.Input);
                if (!reader.Read()) return Outcome.NeedsMore;
                if (isWanted)
                {
                    _value.Read(ref reader);
                    _value.Set(ref subject);
                    return Outcome.Decided;
                }

                if (!reader.TrySkip()) return Outcome.NeedsMore;
            }

            return Outcome.NeedsMore;
        }

        private Outcome Tensors(ref Utf8JsonReader reader, ref SubjectText subject)
        {
            var rawAt = 0L;
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.StartObject) return Outcome.Decided;
                bool isWanted = false, isValued = false, isEnded = false;
                var rawSize = -1L;
                Type = default;
                while (!isEnded && reader.Read())
                {
                    isEnded = reader.TokenType == JsonTokenType.EndObject;
                    if (!isEnded && !Member(ref reader, ref isWanted, ref isValued, ref rawSize)) return Outcome.NeedsMore;
                    // Once name, datatype and first element are read the rest, which may be long, does not matter.
                    if (isWanted && isValued && (Type.Is != TensorType.Form.Unknown || isEnded))
                    {
                        Type.SetFromJson(_value, ref subject);
                        return Outcome.Decided;
                    }
                }

                if (!isEnded) return Outcome.NeedsMore;
                if (isWanted)
                {
                    RawAt = rawSize < 0 ? -1 : rawAt;
                    return Outcome.Decided;
                }

                rawAt += Math.Max(0, rawSize);
            }

            return Outcome.NeedsMore;
        }

        // {"name":"user","shape":[1,1],"datatype":"BYTES","data":["u-17"]}; false where the bytes end.
        private bool Member(ref Utf8JsonReader reader, ref bool isWanted, ref bool isValued, ref long rawSize)
        {
            var isName = reader.ValueTextEquals("name"u8);
            var isType = reader.ValueTextEquals("datatype"u8);
            var isData = reader.ValueTextEquals("data"u8);
            var isParameters = reader.ValueTextEquals("parameters"u8);
            if (!reader.Read()) return false;
            if (isName) isWanted = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(field.Input);
            else if (isType && reader.TokenType == JsonTokenType.String) Type = TypeOf(ref reader);
            else if (isData) return Data(ref reader, isWanted, ref isValued);
            else if (isParameters && reader.TokenType == JsonTokenType.StartObject) return Parameters(ref reader, ref rawSize);
            return reader.TrySkip();
        }

        private bool Data(ref Utf8JsonReader reader, bool isWanted, ref bool isValued)
        {
            // Flat or nested, the first element is the first that is no array.
            var depth = reader.CurrentDepth;
            while (reader.TokenType == JsonTokenType.StartArray)
            {
                if (!reader.Read()) return false;
            }

            if (reader.TokenType is not (JsonTokenType.EndArray or JsonTokenType.StartObject))
            {
                _value.Read(ref reader);
                isValued = true;
                if (isWanted && Type.Is != TensorType.Form.Unknown) return true;
            }

            while (reader.CurrentDepth > depth)
            {
                if (!reader.Read()) return false;
            }

            return true;
        }

        private static bool Parameters(ref Utf8JsonReader reader, ref long rawSize)
        {
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName) return true;
                var isSize = reader.ValueTextEquals("binary_data_size"u8);
                if (!reader.Read()) return false;
                if (isSize && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var size)) rawSize = size;
                if (!reader.TrySkip()) return false;
            }

            return false;
        }

        private static TensorType TypeOf(ref Utf8JsonReader reader)
        {
            Span<byte> name = stackalloc byte[8];
            return reader.HasValueSequence
                ? reader.ValueSequence.Length <= name.Length ? TensorType.Of(Copy(reader.ValueSequence, name)) : default
                : TensorType.Of(reader.ValueSpan);
        }

        private static ReadOnlySpan<byte> Copy(in ReadOnlySequence<byte> from, Span<byte> into)
        {
            from.CopyTo(into);
            return into[..(int)from.Length];
        }

        private Outcome Follow(ref Utf8JsonReader reader, ref SubjectText subject)
        {
            foreach (var part in field.Pointer)
            {
                var isThere = reader.TokenType switch
                {
                    JsonTokenType.StartObject => IntoMember(ref reader, part),
                    JsonTokenType.StartArray => IntoElement(ref reader, part),
                    _ => false,
                };
                if (isThere is not { } found) return Outcome.NeedsMore;
                if (!found) return Outcome.Decided;
            }

            _value.Read(ref reader);
            _value.Set(ref subject);
            return Outcome.Decided;
        }

        // Null: the bytes end before it is known.
        private static bool? IntoMember(ref Utf8JsonReader reader, string name)
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.EndObject) return false;
                var isWanted = reader.ValueTextEquals(name);
                if (!reader.Read()) return null;
                if (isWanted) return true;
                if (!reader.TrySkip()) return null;
            }

            return null;
        }

        private static bool? IntoElement(ref Utf8JsonReader reader, string place)
        {
            if (!int.TryParse(place, System.Globalization.NumberStyles.None, null, out var left)) return false;
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.EndArray) return false;
                if (left-- == 0) return true;
                if (!reader.TrySkip()) return null;
            }

            return null;
        }
    }
}
