using MlOps.TestServers;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>What a request chooses: inputs in any order, outputs by name and order, versions by number and alias.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class ChoiceTests(InferenceFixture services)
{
    public static TheoryData<Carrier> EveryCarrier => new(Carriers.All);

    [ServerTheory]
    [MemberData(nameof(EveryCarrier))]
    public async Task Inputs_go_by_name_in_any_order(Carrier carrier)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);

        foreach (var tensors in (Tensor[][])[[Pair.A, Pair.B], [Pair.B, Pair.A]])
        {
            var outcome = await services.InferAsync(carrier, model, "", tensors);
            Assert.Equal(["p", "q"], outcome.Outputs.Select(o => o.Name));
            Assert.Equal(Pair.RawOf(Pair.A), outcome.Outputs[0].Raw);
            Assert.Equal(Pair.RawOf(Pair.B), outcome.Outputs[1].Raw);
        }
    }

    [ServerTheory]
    [MemberData(nameof(EveryCarrier))]
    public async Task Outputs_come_as_they_were_asked_for(Carrier carrier)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);

        foreach (var outputs in (string[][])[["q"], ["q", "p"], ["p"]])
        {
            var outcome = await services.InferAsync(carrier, model, "", Pair.Good, outputs);
            Assert.Equal(outputs, outcome.Outputs.Select(o => o.Name));
            Assert.All(outcome.Outputs, o => Assert.Equal(Pair.RawOf(o.Name == "p" ? Pair.A : Pair.B), o.Raw));
        }
    }

    [ServerTheory]
    [MemberData(nameof(EveryCarrier))]
    public async Task A_version_is_named_by_number_by_alias_or_not_at_all(Carrier carrier)
    {
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature);
        await services.RegisterAsync(model, Graphs.Times(2), Graphs.TimesSignature);
        await services.RegisterAsync(model, Graphs.Times(3), Graphs.TimesSignature);
        await services.SetAliasAsync(model, "champion", 2);
        await services.SetAliasAsync(model, "ride-or_die", 1);
        Tensor[] one = [Tensor.Fp32("x", 1)];
        await Eventually.Async(
            async () => (await services.InferAsync(carrier, model, "", one)).Version == "2"
                && (await services.InferAsync(carrier, model, "ride-or_die", one)).Kind == "OK",
            TimeSpan.FromSeconds(30), "the aliases are known");

        foreach (var (version, expected) in ((string, string)[])
                 [("", "2"), ("1", "1"), ("3", "3"), ("champion", "2"), ("ride-or_die", "1"), ("latest", "3")])
        {
            var outcome = await services.InferAsync(carrier, model, version, one);
            Assert.Equal(expected, outcome.Version);
            Assert.Equal(Tensor.Raw("FP32", float.Parse(expected, System.Globalization.CultureInfo.InvariantCulture)), outcome.Outputs.Single().Raw);
        }
    }

    [ServerFact]
    public async Task Versions_are_compared_as_numbers_and_ten_is_newer_than_nine()
    {
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature);
        for (var version = 2; version <= 10; version++) await services.RegisterAsync(model, Graphs.Times(version), Graphs.TimesSignature);

        await Eventually.Async(
            async () => (await services.InferAsync(Carrier.Raw, model, "", [Tensor.Fp32("x", 1)])).Version == "10",
            TimeSpan.FromSeconds(30), "version 10 is the newest");
    }
}
