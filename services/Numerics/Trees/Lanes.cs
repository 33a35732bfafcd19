using System.Runtime.Intrinsics;

namespace MlOps.Numerics.Trees;

/// <summary>The few operations on a register of rows that <see cref="BranchFreeTrees"/> is written in.</summary>
internal interface ILanes<TVector>
    where TVector : unmanaged
{
    static abstract int Count { get; }

    static abstract TVector Broadcast(float value);

    static abstract unsafe TVector Load(float* source);

    static abstract unsafe void AddTo(float* target, TVector addend);

    /// <summary>Per lane: <c>value &lt; threshold ? less : other</c>.</summary>
    static abstract TVector Choose(TVector value, TVector threshold, TVector less, TVector other);
}

internal readonly struct Lanes8 : ILanes<Vector256<float>>
{
    public static int Count => 8;

    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    public static unsafe Vector256<float> Load(float* source) => Vector256.Load(source);

    public static unsafe void AddTo(float* target, Vector256<float> addend) =>
        (Vector256.Load(target) + addend).Store(target);

    public static Vector256<float> Choose(
        Vector256<float> value, Vector256<float> threshold, Vector256<float> less, Vector256<float> other) =>
        Vector256.ConditionalSelect(Vector256.LessThan(value, threshold), less, other);
}

internal readonly struct Lanes16 : ILanes<Vector512<float>>
{
    public static int Count => 16;

    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    public static unsafe Vector512<float> Load(float* source) => Vector512.Load(source);

    public static unsafe void AddTo(float* target, Vector512<float> addend) =>
        (Vector512.Load(target) + addend).Store(target);

    public static Vector512<float> Choose(
        Vector512<float> value, Vector512<float> threshold, Vector512<float> less, Vector512<float> other) =>
        Vector512.ConditionalSelect(Vector512.LessThan(value, threshold), less, other);
}
