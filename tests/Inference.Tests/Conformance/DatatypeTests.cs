using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>Every datatype by every carrier: what goes in comes out, to the bit.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class DatatypeTests(InferenceFixture services)
{
    public static TheoryData<string, Carrier> Forms => Pairs.Of(
        from type in Graphs.Types from carrier in Carriers.Of(type.Datatype) select (type.Datatype, carrier));

    [ServerTheory]
    [MemberData(nameof(Forms))]
    public async Task A_value_at_the_edge_of_its_datatype_comes_back_to_the_bit(string datatype, Carrier carrier)
    {
        var model = await EchoAsync(datatype, isNullable: false);
        var tensor = new Tensor("x", datatype, [1, 2], Graphs.ValuesOf(datatype));

        var outcome = await services.InferAsync(carrier, model, "", [tensor]);

        Assert.Equal(("OK", ""), (outcome.Kind, outcome.Error));
        var output = Assert.Single(outcome.Outputs);
        Assert.Equal(("y", datatype), (output.Name, output.Datatype));
        Assert.Equal(Pair.RawOf(tensor), output.Raw);
    }

    public static TheoryData<string, Carrier> WithoutForm => Pairs.Of(
        from datatype in (string[])["FP16", "BF16"] from carrier in (Carrier[])[Carrier.JsonFlat, Carrier.Typed] select (datatype, carrier));

    [ServerTheory]
    [MemberData(nameof(WithoutForm))]
    public async Task A_datatype_without_a_form_in_the_carrier_is_refused_with_the_way_out(string datatype, Carrier carrier)
    {
        var model = await EchoAsync(datatype, isNullable: false);

        var outcome = await services.InferAsync(carrier, model, "", [new Tensor("x", datatype, [1, 2], 1f, 2f)]);

        Assert.Equal("INVALID_ARGUMENT", outcome.Kind);
        Assert.Contains(carrier == Carrier.Typed ? "raw_input_contents" : "binary data", outcome.Error, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> NotFinite => Pairs.Of(
        from datatype in (string[])["FP32", "FP64", "FP16", "BF16"] from value in (string[])["NaN", "+inf", "-inf"] select (datatype, value));

    [ServerTheory]
    [MemberData(nameof(NotFinite))]
    public async Task NaN_is_a_missing_value_where_the_signature_takes_one_and_infinity_never(string datatype, string value)
    {
        var tensor = new Tensor("x", datatype, [1, 2], NotFiniteOf(datatype, value), NotFiniteOf(datatype, "one"));
        var takes = await EchoAsync(datatype, isNullable: true);
        var refuses = await EchoAsync(datatype, isNullable: false);

        foreach (var carrier in (Carrier[])[Carrier.Binary, Carrier.Raw])
        {
            var taken = await services.InferAsync(carrier, takes, "", [tensor]);
            var refused = await services.InferAsync(carrier, refuses, "", [tensor]);

            Assert.Equal(value == "NaN" ? "OK" : "INVALID_ARGUMENT", taken.Kind);
            if (value == "NaN") Assert.Equal(Pair.RawOf(tensor), taken.Outputs.Single().Raw);
            Assert.Equal("INVALID_ARGUMENT", refused.Kind);
            Assert.Contains("(value 0)", refused.Error, StringComparison.Ordinal);
        }
    }

    public static TheoryData<string, object> OutOfRange => new()
    {
        { "INT8", 128 }, { "INT8", -129 }, { "INT16", 32_768 }, { "INT16", -32_769 }, { "UINT8", 256u }, { "UINT16", 65_536u },
    };

    [ServerTheory]
    [MemberData(nameof(OutOfRange))]
    public async Task A_value_out_of_its_datatypes_range_is_refused_and_not_wrapped(string datatype, object value)
    {
        var model = await EchoAsync(datatype, isNullable: false);

        foreach (var carrier in (Carrier[])[Carrier.JsonFlat, Carrier.JsonNested, Carrier.Typed])
        {
            var outcome = await services.InferAsync(carrier, model, "", [new Tensor("x", datatype, [1, 2], value, value)]);
            Assert.Equal("INVALID_ARGUMENT", outcome.Kind);
            Assert.Contains($"within the range of {datatype}", outcome.Error, StringComparison.Ordinal);
        }
    }

    /// <summary>Numbers of JSON that the datatype cannot hold, or that are no JSON numbers at all.</summary>
    [ServerTheory]
    [InlineData("INT32", "2147483648")]
    [InlineData("INT64", "9223372036854775808")]
    [InlineData("INT64", "1.5")]
    [InlineData("INT64", "1e3")]
    [InlineData("UINT32", "-1")]
    [InlineData("UINT64", "-1")]
    [InlineData("UINT64", "18446744073709551616")]
    [InlineData("FP32", "1e39")]
    [InlineData("FP64", "1e309")]
    [InlineData("FP32", "NaN")]
    [InlineData("FP32", "\"1\"")]
    [InlineData("FP32", "true")]
    [InlineData("BOOL", "1")]
    [InlineData("BOOL", "\"true\"")]
    [InlineData("BYTES", "1")]
    [InlineData("BYTES", "\"\\ud800\"")]
    [InlineData("FP32", "{}")]
    [InlineData("FP32", "null")]
    public async Task A_json_value_that_is_none_of_the_datatype_is_refused(string datatype, string value)
    {
        var model = await EchoAsync(datatype, isNullable: false);
        var body = $$"""{"inputs":[{"name":"x","datatype":"{{datatype}}","shape":[1,2],"data":[{{value}},{{value}}]}]}""";

        var outcome = await services.PostAsync(model, "", System.Text.Encoding.UTF8.GetBytes(body), null);

        Assert.Equal("INVALID_ARGUMENT", outcome.Kind);
        Assert.NotEmpty(outcome.Error);
    }

    private static object NotFiniteOf(string datatype, string value) => (datatype, value) switch
    {
        ("FP32", "NaN") => float.NaN,
        ("FP32", "+inf") => float.PositiveInfinity,
        ("FP32", "-inf") => float.NegativeInfinity,
        ("FP32", _) => 1f,
        ("FP64", "NaN") => double.NaN,
        ("FP64", "+inf") => double.PositiveInfinity,
        ("FP64", "-inf") => double.NegativeInfinity,
        ("FP64", _) => 1d,
        ("FP16", "NaN") => System.Half.NaN,
        ("FP16", "+inf") => System.Half.PositiveInfinity,
        ("FP16", "-inf") => System.Half.NegativeInfinity,
        ("FP16", _) => (System.Half)1,
        (_, "NaN") => (ushort)0x7FC1,
        (_, "+inf") => (ushort)0x7F80,
        (_, "-inf") => (ushort)0xFF80,
        _ => (ushort)0x3F80,
    };

    private Task<string> EchoAsync(string datatype, bool isNullable)
    {
        Signature signature = Graphs.EchoSignature(datatype);
        signature.Inputs[0].Nullable = isNullable;
        return services.NewModelAsync(Graphs.Echo(Graphs.Types.Single(t => t.Datatype == datatype).OnnxType), signature);
    }
}
