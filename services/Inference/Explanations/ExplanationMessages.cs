using MlOps.Contracts.Tables.V1;
using Message = MlOps.Contracts.Inference.V1.Explanation;

namespace MlOps.Inference.Explanations;

/// <summary>Explanations as gRPC messages.</summary>
internal static class ExplanationMessages
{
    public static Message Of(Explanation explanation)
    {
        var message = new Message
        {
            Method = explanation.Method,
            Space = explanation.Space,
            Link = explanation.Link,
            Output = explanation.Output,
            Contributions = TableOf(explanation, row => row.Contributions),
            Samples = explanation.Samples,
            Seed = explanation.Seed,
        };
        message.Bias.Add(explanation.Rows.Select(row => row.Bias));
        if (explanation.Samples > 0) message.StandardErrors = TableOf(explanation, row => row.StandardErrors);
        return message;
    }

    private static Table TableOf(Explanation explanation, Func<RowExplanation, double[]> select)
    {
        var table = new Table();
        for (var i = 0; i < explanation.Names.Count; i++)
        {
            var values = new DoubleValues();
            foreach (var row in explanation.Rows) values.Values.Add(select(row)[i]);
            table.Columns.Add(new Column { Name = explanation.Names[i], Doubles = values });
        }

        return table;
    }
}
