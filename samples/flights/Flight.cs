using System.Globalization;

namespace MlOps.Flights;

/// <summary>One flight of the sample; <see cref="Id"/> is its line in the file, the first flight being 1.</summary>
internal sealed record Flight(int Id, DateTimeOffset DepartedAt, double Delay, double Distance, string Origin, string Destination)
{
    /// <summary>
    /// When the delay can be known: 30 minutes on the ground, the way at 7.5 miles a minute, and the delay itself.
    /// </summary>
    public DateTimeOffset KnownAt => DepartedAt.AddMinutes(30 + Distance / 7.5 + Math.Max(Delay, 0));

    public double DepartureHour => DepartedAt.Hour + DepartedAt.Minute / 60.0;

    /// <summary>0 is Sunday.</summary>
    public double DepartureWeekday => (double)DepartedAt.DayOfWeek;

    public string Subject => $"flight-{Id}";

    /// <summary>Reads <c>2001/01/01 00:47,66,1750,DTW,LAS</c>; the file is our own, so a bad line is an error.</summary>
    public static List<Flight> ReadAll(string file) =>
        [.. File.ReadLines(file).Skip(1).Select((line, index) =>
        {
            var cells = line.Split(',');
            return new Flight(
                index + 1,
                DateTimeOffset.ParseExact(
                    cells[0], "yyyy/MM/dd HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal),
                double.Parse(cells[1], CultureInfo.InvariantCulture),
                double.Parse(cells[2], CultureInfo.InvariantCulture),
                cells[3],
                cells[4]);
        })];
}
