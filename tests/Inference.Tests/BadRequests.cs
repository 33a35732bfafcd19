namespace MlOps.Inference.Tests;

/// <summary>Requests the delay model must refuse, with words of the refusal.</summary>
internal static class BadRequests
{
    private static readonly Tensor Distance = Tensor.Fp32("distance", 100, 200);
    private static readonly Tensor Hour = Tensor.Fp32("hour", 1, 2);
    private static readonly Tensor Origin = Tensor.Bytes("origin", "ATL", "ORD");

    public static readonly Dictionary<string, (Tensor[] Tensors, string Expected)> All = new()
    {
        ["missing input"] = ([Distance, Hour], "origin: is missing"),
        ["no input"] = ([], "hour: is missing"),
        ["unknown input"] = ([Distance, Hour, Origin, Tensor.Fp32("speed", 1, 2)], "speed: is not an input"),
        ["duplicate input"] = ([Distance, Hour, Origin, Hour], "hour: is given twice"),
        ["wider datatype"] = (
            [Distance, new Tensor("hour", "FP64", [2, 1], 1d, 2d), Origin], "hour: must have datatype FP32, not FP64"),
        ["integer datatype"] = (
            [Distance, new Tensor("hour", "INT64", [2, 1], 1L, 2L), Origin], "hour: must have datatype FP32, not INT64"),
        ["number for text"] = ([Distance, Hour, Tensor.Fp32("origin", 1, 2)], "origin: must have datatype BYTES"),
        ["wrong rank"] = ([Distance, Hour with { Shape = [2] }, Origin], "hour: must have shape [-1,1], not [2]"),
        ["wrong width"] = ([Distance, Hour with { Shape = [1, 2] }, Origin], "hour: must have shape [-1,1], not [1,2]"),
        ["no rows"] = ([Distance with { Shape = [0, 1], Values = [] }, Hour, Origin], "distance: must have shape"),
        ["negative rows"] = ([Distance with { Shape = [-2, 1] }, Hour, Origin], "distance: must have shape"),
        ["overflowing shape"] = ([Distance with { Shape = [long.MaxValue, 1] }, Hour, Origin], "too many elements"),
        ["product that overflows"] = ([Distance with { Shape = [1L << 62, 1] }, Hour, Origin], "distance:"),
        ["too few values"] = ([Distance with { Shape = [3, 1] }, Hour, Origin], "distance: must have"),
        ["too many values"] = ([Distance with { Shape = [1, 1] }, Hour, Origin], "distance: must have"),
        ["row counts differ"] = ([Distance, Tensor.Fp32("hour", 1, 2, 3), Origin], "hour: has 3 rows where distance has 2"),
        ["NaN not allowed"] = ([Distance, Tensor.Fp32("hour", 1, float.NaN), Origin], "hour: must not be missing"),
        ["infinite"] = ([Tensor.Fp32("distance", float.PositiveInfinity, 1), Hour, Origin], "distance: must be finite FP32 (value 0)"),
    };
}
