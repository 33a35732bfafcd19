using System.Globalization;
using Grpc.Core;
using MlOps.Clients;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args.Length < 2)
{
    Console.WriteLine("""
        usage: MlOps.Clients MODEL[@VERSION] INPUT=DATATYPE:VALUE[,VALUE…] …
          MlOps.Clients flight-delay@champion distance=FP32:719,2475 origin=BYTES:ATL,JFK

        Asks a model for predictions over the Open Inference Protocol, by REST and by gRPC. One value of each input is a row.
          MLOPS_REST   REST address (default http://127.0.0.1:8080)
          MLOPS_GRPC   gRPC address (default http://127.0.0.1:8081)
          MLOPS_KEY    API key, where one is asked for
        Ends with 1 where an answer is refused or the two differ.
        """);
    return 2;
}

var key = Environment.GetEnvironmentVariable("MLOPS_KEY") ?? "";
var (model, version) = args[0].Split('@') is [var name, var chosen] ? (name, chosen) : (args[0], "");
try
{
    var tensors = args[1..].Select(Tensor.Parse).ToArray();
    using var rest = new RestClient(AddressOf("MLOPS_REST", "http://127.0.0.1:8080"), key);
    using var grpc = new GrpcClient(AddressOf("MLOPS_GRPC", "http://127.0.0.1:8081"), key);
    Answer[] answers = [await rest.InferAsync(model, version, tensors), await grpc.InferAsync(model, version, tensors)];
    foreach (var answer in answers)
    {
        Console.WriteLine($"{answer.Way}: version {answer.Version}, prediction {answer.PredictionId}");
        foreach (var (output, values) in answer.Outputs) Console.WriteLine($"  {output} [{string.Join(", ", values)}]");
    }

    var isEqual = answers[0].IsEqualTo(answers[1]);
    Console.WriteLine(isEqual ? "all answers are equal to the bit" : "the answers differ");
    return isEqual ? 0 : 1;
}
catch (RpcException e)
{
    Console.WriteLine($"refused with {e.StatusCode}: {e.Status.Detail}");
    return 1;
}
catch (Exception e) when (e is HttpRequestException or FormatException)
{
    Console.WriteLine(e.Message);
    return 1;
}

static Uri AddressOf(string variable, string otherwise) => new(Environment.GetEnvironmentVariable(variable) ?? otherwise);
