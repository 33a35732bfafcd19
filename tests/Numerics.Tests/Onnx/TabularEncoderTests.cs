using MlOps.Numerics.Onnx;

namespace MlOps.Numerics.Tests.Onnx;

public class TabularEncoderTests
{
    private static readonly TabularInput[] Inputs =
    [
        new NumericInput("distance", Impute: 500, Offset: 100, Scale: 0.1f),
        new CategoricalInput("origin", ["ATL", "ORD"]),
        new NumericInput("delay"),
    ];

    [Fact]
    public void Columns_are_found_by_name_and_encoded_in_the_inputs_order()
    {
        var encoder = new TabularEncoder(Inputs);

        var design = encoder.Encode(
        [
            new NumericColumn("delay", [float.NaN, 4]),
            new TextColumn("origin", ["ORD", null]),
            new NumericColumn("distance", [float.NaN, 733]),
        ]);

        Assert.Equal(["distance", "origin=ATL", "origin=ORD", "delay"], encoder.FeatureNames);
        Assert.Equal([(500f - 100) * 0.1f, 0, 1, float.NaN, (733f - 100) * 0.1f, 0, 0, 4], design);
    }

    [Fact]
    public void Columns_that_do_not_fit_the_inputs_are_refused()
    {
        var encoder = new TabularEncoder(Inputs);
        RawColumn distance = new NumericColumn("distance", [1]), delay = new NumericColumn("delay", [1]);

        Assert.Contains("'origin' is missing", Refusal([distance, delay]), StringComparison.Ordinal);
        Assert.Contains("kind", Refusal([distance, new NumericColumn("origin", [1]), delay]), StringComparison.Ordinal);
        RawColumn twoRows = new TextColumn("origin", ["a", "b"]);
        Assert.Contains("2 rows", Refusal([distance, twoRows, delay]), StringComparison.Ordinal);

        string Refusal(RawColumn[] columns) => Assert.Throws<ArgumentException>(() => encoder.Encode(columns)).Message;
    }

    public static TheoryData<TabularInput[]> Unsound =>
    [
        [],
        [new NumericInput("x"), new NumericInput("x")],
        [new NumericInput("")],
        [new NumericInput("/raw")],
        [new NumericInput("x", Scale: float.NaN)],
        [new CategoricalInput("x", [])],
        [new CategoricalInput("x", ["a", "a"])],
    ];

    [Theory, MemberData(nameof(Unsound))]
    public void Unsound_inputs_are_refused(TabularInput[] inputs) =>
        Assert.Throws<ArgumentException>(() => new TabularEncoder(inputs));
}
