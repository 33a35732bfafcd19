using MlOps.Contracts.Tables.V1;
using MlOps.Contracts.Training.V1;

namespace MlOps.Training.Tests;

/// <summary>Made-up flights: a delay that depends on distance, hour and airline, some hours missing, in order of no time.</summary>
internal static class SyntheticRows
{
    internal const string Label = "delay";
    internal const string Time = "departed_at";
    private static readonly string[] Airlines = ["AA", "DL", "UA", "WN"];

    internal static Table Table(int rows, int seed = 7)
    {
        var random = new Random(seed);
        var table = new Table();
        var time = new TimeValues();
        var (distance, hour, delay) = (new DoubleValues(), new DoubleValues(), new DoubleValues());
        var (stops, airline) = (new IntegerValues(), new TextValues());
        for (var row = 0; row < rows; row++)
        {
            var (miles, at, carrier) = (random.Next(100, 2500), random.Next(0, 24), random.Next(Airlines.Length));
            time.Values.Add(978_307_200_000_000L + random.Next(0, 60 * 24 * 3600) * 1_000_000L);
            distance.Values.Add(miles);
            hour.Values.Add(random.Next(10) == 0 ? double.NaN : at);
            stops.Values.Add(random.Next(3));
            airline.Values.Add(Airlines[carrier]);
            delay.Values.Add(carrier * 8 + Math.Sin(at / 4.0) * 12 + miles / 300.0 + random.NextDouble() * 6);
        }
        table.Columns.Add(new Column { Name = Time, Times = time });
        table.Columns.Add(new Column { Name = "distance", Doubles = distance });
        table.Columns.Add(new Column { Name = "hour", Doubles = hour });
        table.Columns.Add(new Column { Name = "stops", Integers = stops });
        table.Columns.Add(new Column { Name = "airline", Texts = airline });
        table.Columns.Add(new Column { Name = Label, Doubles = delay });
        return table;
    }

    internal static Pipeline Pipeline(string trainer = "xgboost") => new()
    {
        Model = "synthetic-delay",
        DatasetDigest = "sha256:" + new string('a', 64),
        LabelColumn = Label,
        TimeColumn = Time,
        Inputs =
        {
            new InputColumn { Name = "distance", Kind = InputColumn.Types.Kind.Numeric },
            new InputColumn { Name = "hour", Kind = InputColumn.Types.Kind.Numeric, Nullable = true },
            new InputColumn { Name = "stops", Kind = InputColumn.Types.Kind.Numeric },
            new InputColumn { Name = "airline", Kind = InputColumn.Types.Kind.Categorical, Nullable = true },
        },
        Split = new TimeSplit { ValidationFraction = 0.2, TestFraction = 0.2 },
        Trainer = trainer,
        Seed = 42,
        CodeVersion = "test",
    };
}
