using System.Text.Json;
using Google.Protobuf.Collections;
using MlOps.Contracts.OpenInference;
using MlOps.Inference.Explanations;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>
/// An infer request's parameters that ask for an explanation: <c>explain</c>, true or a method, and beside it
/// <c>explain_output</c>, <c>explain_samples</c> and <c>explain_seed</c>.
/// </summary>
internal static class ExplainParameters
{
    private const string Explain = "explain";
    private const string Output = "explain_output";
    private const string Samples = "explain_samples";
    private const string Seed = "explain_seed";

    /// <summary>Reads the object after the property the reader stands on; other parameters are let be.</summary>
    /// <exception cref="InvalidRequestException">EXPLAIN_INVALID.</exception>
    public static ExplainOptions? Read(Utf8JsonReader reader)
    {
        var given = new Given();
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString() ?? "";
            reader.Read();
            switch (name)
            {
                case Explain when reader.TokenType is JsonTokenType.True or JsonTokenType.False: given.Explain(reader.GetBoolean()); break;
                case Explain when reader.TokenType == JsonTokenType.String: given.Explain(reader.GetString()); break;
                case Output when reader.TokenType == JsonTokenType.String: given.Output(reader.GetString()); break;
                case Samples when reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var samples): given.Samples(samples); break;
                case Seed when reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var seed): given.Seed(seed); break;
                default: Given.Refuse(name); break;
            }
        }

        return given.ToOptions();
    }

    /// <exception cref="InvalidRequestException">EXPLAIN_INVALID.</exception>
    public static ExplainOptions? Of(MapField<string, InferParameter> parameters)
    {
        if (parameters.Count == 0) return null;
        var given = new Given();
        foreach (var (name, value) in parameters)
        {
            switch (name, value.ParameterChoiceCase)
            {
                case (Explain, InferParameter.ParameterChoiceOneofCase.BoolParam): given.Explain(value.BoolParam); break;
                case (Explain, InferParameter.ParameterChoiceOneofCase.StringParam): given.Explain(value.StringParam); break;
                case (Output, InferParameter.ParameterChoiceOneofCase.StringParam): given.Output(value.StringParam); break;
                case (Samples, InferParameter.ParameterChoiceOneofCase.Int64Param): given.Samples(value.Int64Param); break;
                case (Seed, InferParameter.ParameterChoiceOneofCase.Int64Param): given.Seed(value.Int64Param); break;
                default: Given.Refuse(name); break;
            }
        }

        return given.ToOptions();
    }

    private struct Given()
    {
        private ExplainOptions _options = ExplainOptions.Default;
        private bool? _isAsked;
        private string? _detail;

        public void Explain(bool isAsked) => _isAsked = isAsked;

        public void Explain(string? method)
        {
            _isAsked = true;
            _options = _options with { Method = ExplainOptions.MethodOf(method ?? "") };
        }

        public void Output(string? output) => (_options, _detail) = (_options with { Output = output ?? "" }, ExplainParameters.Output);

        public void Samples(long samples) =>
            (_options, _detail) = (_options with { Samples = Number(ExplainParameters.Samples, samples) }, ExplainParameters.Samples);

        public void Seed(long seed) => (_options, _detail) = (_options with { Seed = Number(ExplainParameters.Seed, seed) }, ExplainParameters.Seed);

        /// <summary>Of a name or kind that is not known: those that are this class's are refused.</summary>
        public static void Refuse(string name)
        {
            var rule = name switch
            {
                ExplainParameters.Explain => "must be true, false or the name of a method",
                ExplainParameters.Output => "must be a string",
                ExplainParameters.Samples or ExplainParameters.Seed => "must be a whole number",
                _ => null,
            };
            if (rule is not null) throw Invalid(name, rule);
        }

        public readonly ExplainOptions? ToOptions()
        {
            if (_isAsked == true) return _options.Checked();
            return _isAsked is null && _detail is not null ? throw Invalid(_detail, "is only for requests with 'explain'") : null;
        }

        private static int Number(string name, long value) =>
            value == (int)value ? (int)value : throw Invalid(name, "must be a whole number of 32 bits");

        private static InvalidRequestException Invalid(string name, string rule) => new("EXPLAIN_INVALID", [new FieldViolation(name, rule)]);
    }
}
