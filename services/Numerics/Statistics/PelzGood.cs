namespace MlOps.Numerics.Statistics;

/// <summary>
/// P(Dₙ ≤ d) ≈ K₀(z) + K₁(z)/√n + K₂(z)/n + K₃(z)/n^1.5 with z = d·√n (Pelz and Good, J. R. Statist. Soc. B 38, 1976):
/// the asymptotic series of Li-Chien and Korolyuk turned by theta functions into one that converges for small z.
/// </summary>
internal static class PelzGood
{
    public static double Cumulative(long n, double d)
    {
        const double Pi2 = Math.PI * Math.PI;
        var z = d * Math.Sqrt(n);
        var z2 = z * z;
        var z4 = z2 * z2;
        var z6 = z4 * z2;
        if (Pi2 / (8 * z2) > 708) // e⁻⁷⁰⁸ is the least normal double
            return 0;

        double k0 = 0, k1 = 0, k2 = 0, k3 = 0, k2Even = 0, k3Even = 0;
        for (var k = (int)Math.Ceiling(16 * z / Math.PI); k >= 1; k--)
        {
            var half = Pi2 * (2 * k - 1) * (2 * k - 1) / 4;
            var odd = Math.Exp(-half / (2 * z2));
            k0 += odd;
            k1 += odd * (half - z2);
            k2 += odd * (6 * z6 + 2 * z4 + half * ((2 * z4 - 5 * z2) + half * (1 - 2 * z2)));
            k3 += odd * (-30 * z6 - 90 * z4 * z4
                + half * ((135 * z4 - 96 * z6) + half * ((212 * z4 - 60 * z2) + half * (5 - 30 * z2))));

            var full = Pi2 * k * k;
            var even = Math.Exp(-full / (2 * z2));
            k2Even += even * full;
            k3Even += even * full * (3 * z2 - full);
        }

        k2 = k2 / (72 * z6 * z) - k2Even / (36 * z2 * z);
        k3 = k3 / (6480 * z6 * z4) + k3Even / (216 * z6);
        return Math.Sqrt(2 * Math.PI)
            * (k0 / z + k1 / (6 * z4 * Math.Sqrt(n)) + k2 / n + k3 / (n * Math.Sqrt(n)));
    }
}
