namespace MlOps.Numerics.Explanations;

/// <summary>
/// The unique features met on the way to a node, with the weight of every size of subset of them: "m" of Algorithm 2 in
/// Lundberg, Erion and Lee 2018, where element 0 is the root's, of no feature.
/// </summary>
internal ref struct FeaturePath(Span<FeaturePath.Element> elements, int length = 0)
{
    private readonly Span<Element> _elements = elements;

    public int Length { get; private set; } = length;

    public readonly ref readonly Element this[int index] => ref _elements[index];

    /// <summary>A copy of this path behind it in the same memory, to go further down with.</summary>
    public readonly FeaturePath Fork()
    {
        var rest = _elements[Length..];
        _elements[..Length].CopyTo(rest);
        return new FeaturePath(rest, Length);
    }

    public readonly int Find(int feature)
    {
        for (var i = 1; i < Length; i++)
            if (_elements[i].Feature == feature)
                return i;
        return -1;
    }

    /// <summary>EXTEND: one feature more.</summary>
    /// <param name="feature">Its index; −1 at the root.</param>
    /// <param name="zero">Share of the rows that go this way when the feature is unknown.</param>
    /// <param name="one">1 if the explained row goes this way, else 0.</param>
    public void Extend(int feature, double zero, double one)
    {
        var l = Length++;
        _elements[l] = new Element(feature, zero, one, l == 0 ? 1 : 0);
        for (var i = l - 1; i >= 0; i--)
        {
            _elements[i + 1].Weight += one * _elements[i].Weight * (i + 1) / (l + 1);
            _elements[i].Weight = zero * _elements[i].Weight * (l - i) / (l + 1);
        }
    }

    /// <summary>UNWIND: as if the feature at this place had never been met.</summary>
    public void Unwind(int place)
    {
        var l = --Length;
        var (zero, one) = (_elements[place].Zero, _elements[place].One);
        var next = _elements[l].Weight;
        for (var j = l - 1; j >= 0; j--)
        {
            if (one != 0)
            {
                var weight = _elements[j].Weight;
                _elements[j].Weight = next * (l + 1) / ((j + 1) * one);
                next = weight - _elements[j].Weight * zero * (l - j) / (l + 1);
            }
            else
            {
                _elements[j].Weight = _elements[j].Weight * (l + 1) / (zero * (l - j));
            }
        }

        for (var j = place; j < l; j++)
            (_elements[j].Feature, _elements[j].Zero, _elements[j].One) =
                (_elements[j + 1].Feature, _elements[j + 1].Zero, _elements[j + 1].One);
    }

    /// <summary>Sum of the weights UNWIND would leave without a feature that lets the row pass.</summary>
    public readonly double UnwoundSum(int place)
    {
        var l = Length - 1;
        var zero = _elements[place].Zero;
        var next = _elements[l].Weight;
        var total = 0d;
        for (var j = l - 1; j >= 0; j--)
        {
            var weight = next * (l + 1) / (j + 1);
            total += weight;
            next = _elements[j].Weight - weight * zero * (l - j) / (l + 1);
        }

        return total;
    }

    /// <summary>
    /// The same without a feature that does not let the row pass, times its share of the rows: that is one number for
    /// all of them.
    /// </summary>
    public readonly double AbsentSum()
    {
        var l = Length - 1;
        var total = 0d;
        for (var j = l - 1; j >= 0; j--)
            total += _elements[j].Weight * (l + 1) / (l - j);
        return total;
    }

    internal struct Element(int feature, double zero, double one, double weight)
    {
        public int Feature = feature;
        public double Zero = zero;
        public double One = one;
        public double Weight = weight;
    }
}
