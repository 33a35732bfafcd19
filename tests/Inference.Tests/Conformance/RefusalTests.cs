using MlOps.Numerics.Onnx;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>
/// Mistakes, each by every carrier it can be made in: refused with the same status and the rule, never answered and never
/// INTERNAL; the next good request is answered.
/// </summary>
[Collection(nameof(InferenceFixture))]
public sealed class RefusalTests(InferenceFixture services)
{
    private sealed record Mistake(Tensor[] Tensors, string Expected, string[]? Outputs = null);

    private static readonly Dictionary<string, Mistake> Mistakes = new()
    {
        ["an input is missing"] = new([Pair.A], "b: is missing"),
        ["no input"] = new([], "a: is missing"),
        ["an input is given twice"] = new([Pair.A, Pair.B, Pair.A], "a: is given twice"),
        ["an input the model lacks"] = new([Pair.A, Pair.B, Pair.A with { Name = "c" }], "c: is not an input"),
        ["a name without characters"] = new([Pair.A with { Name = "" }, Pair.B], "is not an input"),
        ["a name in another case"] = new([Pair.A with { Name = "A" }, Pair.B], "A: is not an input"),
        ["another datatype"] = new([new Tensor("a", "FP64", [2, 2], 1d, 2d, 3d, 4d), Pair.B], "a: must have datatype FP32, not FP64"),
        ["a datatype there is not"] = new([Pair.A with { Datatype = "FP31" }, Pair.B], "a: must have datatype FP32, not FP31"),
        ["a datatype in small letters"] = new([Pair.A with { Datatype = "fp32" }, Pair.B], "a: must have datatype FP32, not fp32"),
        ["no datatype"] = new([Pair.A with { Datatype = "" }, Pair.B], "a: must have datatype FP32"),
        ["a rank too low"] = new([Pair.A with { Shape = [4] }, Pair.B], "a: must have shape [-1,2], not [4]"),
        ["a rank too high"] = new([Pair.A with { Shape = [2, 2, 1] }, Pair.B], "a: must have shape [-1,2], not [2,2,1]"),
        ["a rank of 17"] = new([Pair.A with { Shape = [.. Enumerable.Repeat(1L, 17)] }, Pair.B], ""),
        ["no shape"] = new([Pair.A with { Shape = [] }, Pair.B], "a: must have shape [-1,2], not []"),
        ["another width"] = new([Pair.A with { Shape = [1, 4] }, Pair.B], "a: must have shape [-1,2], not [1,4]"),
        ["no rows"] = new([Pair.A with { Shape = [0, 2], Values = [] }, Pair.B], "a: must have shape [-1,2], not [0,2]"),
        ["a size of −1"] = new([Pair.A with { Shape = [-1, 2] }, Pair.B], "a: must have shape [-1,2], not [-1,2]"),
        ["a size of −2^63"] = new([Pair.A with { Shape = [long.MinValue, 2] }, Pair.B], "a: must have shape"),
        ["2^62 rows"] = new([Pair.A with { Shape = [1L << 62, 2] }, Pair.B], "a: has a shape of too many elements"),
        ["2^63 − 1 rows"] = new([Pair.A with { Shape = [long.MaxValue, 2] }, Pair.B], "a: has a shape of too many elements"),
        ["2^32 rows"] = new([Pair.A with { Shape = [1L << 32, 2] }, Pair.B], "a: has a shape of too many elements"),
        ["more rows than values"] = new([Pair.A with { Shape = [3, 2] }, Pair.B], "a: must have"),
        ["fewer rows than values"] = new([Pair.A with { Shape = [1, 2] }, Pair.B], "a: must have"),
        ["two inputs of unlike rows"] = new([Pair.A, Tensor.Bytes("b", "one")], "b: has 1 rows where a has 2"),
        ["NaN where none is taken"] = new([Pair.A with { Values = [1f, float.NaN, 3f, 4f] }, Pair.B], "a: must not be missing"),
        ["an output the model lacks"] = new(Pair.Good, "r: is not an output", ["p", "r"]),
        ["more outputs than there are"] = new(Pair.Good, "must not be more than the model's 2", ["p", "q", "p"]),
    };

    public static TheoryData<string, Carrier> All => Pairs.Of(
        from mistake in Mistakes.Keys
        from carrier in (Carrier[])[Carrier.JsonFlat, Carrier.Binary, Carrier.Typed, Carrier.Raw]
        select (mistake, carrier));

    [ServerTheory]
    [MemberData(nameof(All))]
    public async Task A_mistake_is_refused_with_its_rule(string mistake, Carrier carrier)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        var (tensors, expected, outputs) = Mistakes[mistake];

        var outcome = await services.InferAsync(carrier, model, "", tensors, outputs ?? []);

        Assert.Equal("INVALID_ARGUMENT", outcome.Kind);
        Assert.Contains(expected, outcome.Error, StringComparison.Ordinal);
        Assert.Equal("OK", (await services.InferAsync(carrier, model, "", Pair.Good)).Kind);
    }

    /// <summary>Two open sizes: either may be any number, and their product any number modulo 2^64.</summary>
    [ServerTheory]
    [InlineData(1L << 32, 1L << 32)]
    [InlineData(1L << 31, 1L << 32)]
    [InlineData(3_037_000_500, 3_037_000_500)]
    [InlineData(long.MaxValue, long.MaxValue)]
    [InlineData((1L << 62) + 1, 4)]
    [InlineData(-1, -4)]
    [InlineData(long.MinValue, long.MinValue)]
    [InlineData(1L << 32, 0)]
    public async Task Sizes_whose_product_overflows_are_refused_by_every_carrier(long rows, long width)
    {
        var signature = Graphs.EchoSignature("FP32");
        signature.Inputs[0].Shape[1] = -1;
        var one = new GraphBuilder("one").Input("x", OnnxType.Float, 1).Output("y", OnnxType.Float, 1).Node("Identity", ["x"], "y").Build();
        var model = await services.NewModelAsync(one, signature);
        var tensor = new Tensor("x", "FP32", [rows, width], 1f, 2f, 3f, 4f);

        foreach (var carrier in (Carrier[])[Carrier.JsonFlat, Carrier.Binary, Carrier.Typed, Carrier.Raw])
        {
            var outcome = await services.InferAsync(carrier, model, "", [tensor]);
            Assert.Equal("INVALID_ARGUMENT", outcome.Kind);
            Assert.StartsWith("x: ", outcome.Error, StringComparison.Ordinal);
        }

        Assert.Equal("OK", (await services.InferAsync(Carrier.Raw, model, "", [tensor with { Shape = [4, 1] }])).Kind);
    }

    public static TheoryData<Carrier> EveryCarrier => new(Carriers.All);

    [ServerTheory]
    [MemberData(nameof(EveryCarrier))]
    public async Task What_does_not_exist_is_not_found(Carrier carrier)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);

        foreach (var (name, version) in ((string, string)[])
                 [("no-such-model", ""), (model, "2"), (model, "no-such-alias"), (model, "0"), (model, "-1"), (model, "01x"), (model, "2147483648")])
        {
            var outcome = await services.InferAsync(carrier, name, version, Pair.Good);
            Assert.Equal("NOT_FOUND", outcome.Kind);
            Assert.NotEmpty(outcome.Error);
        }
    }

    [ServerTheory]
    [MemberData(nameof(EveryCarrier))]
    public async Task What_is_unloaded_is_unavailable(Carrier carrier)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        await services.Tensors.RepositoryModelUnloadAsync(new() { ModelName = model });

        Assert.Equal("UNAVAILABLE", (await services.InferAsync(carrier, model, "", Pair.Good)).Kind);

        await services.Tensors.RepositoryModelLoadAsync(new() { ModelName = model });
        Assert.Equal("OK", (await services.InferAsync(carrier, model, "", Pair.Good)).Kind);
    }
}
