using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Routing;
using MlOps.Gateway.Access;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

/// <summary>Every route and call the gateway serves, asked for by every role: what is not in the table fails here.</summary>
public sealed class RoleMatrixTests(ClosedPlatform<RoleMatrixTests> platform) : IClassFixture<ClosedPlatform<RoleMatrixTests>>
{
    private static readonly Dictionary<string, MethodDescriptor> Calls = AccessExtensions.CalledServices
        .SelectMany(s => s.Methods).ToDictionary(m => $"/{m.Service.FullName}/{m.Name}");

    [ServerFact]
    public void Every_endpoint_has_its_line_in_the_table()
    {
        var rules = new AccessRules(AccessTable.Rules, AccessExtensions.CalledServices);
        var missing =
            from endpoint in platform.Gateway.Endpoints.OfType<RouteEndpoint>()
            let pattern = AccessRules.PatternOf(endpoint)
            where !AccessRules.IsForwarded(endpoint) && !AccessRules.IsNothing(pattern)
            from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["ANY"]
            where rules.Find(method, pattern) is null
            select $"{method} {pattern}";
        Assert.Empty(missing);
        Assert.Empty(Calls.Keys.Except(AccessTable.Rules.Select(r => r.Route)));
    }

    [ServerFact]
    public void Every_line_of_the_table_is_served()
    {
        var own = platform.Gateway.Endpoints.OfType<RouteEndpoint>().Select(AccessRules.PatternOf).ToHashSet(StringComparer.Ordinal);
        var unserved = AccessTable.Rules.Where(r =>
            !own.Contains(r.Pattern) && !Calls.ContainsKey(r.Route)
            && !MlOps.Gateway.Routes.PlatformService.All.SelectMany(s => s.RestPaths)
                .Any(p => r.Pattern == p || (p.EndsWith("/{**rest}", StringComparison.Ordinal) && (r.Pattern + "/").StartsWith(p[..^8], StringComparison.Ordinal))));
        Assert.Empty(unserved.Select(r => r.Route));
        Assert.Distinct(AccessTable.Rules.Select(r => r.Route));
    }

    [ServerFact]
    public async Task Every_role_may_what_its_rights_say_and_nothing_else()
    {
        var wrong = new List<string>();
        foreach (var role in Role.All)
        {
            var whole = (await platform.KeyAsync((role.Name, "*"))).Text;
            var scoped = (await platform.KeyAsync((role.Name, "mine-*"))).Text;
            foreach (var rule in AccessTable.Rules)
            {
                var has = rule.Needs == Right.None || (role.Rights & rule.Needs) != 0;
                await ExpectAsync(rule, whole, "mine-1", has, $"{role.Name} over *");
                await ExpectAsync(rule, scoped, "mine-1", has && (rule.About != About.Platform || rule.IsPublic), $"{role.Name} over mine-*");
                if (rule.About == About.Model) await ExpectAsync(rule, scoped, "yours-1", false, $"{role.Name} over mine-* on yours-1");
            }
        }

        foreach (var rule in AccessTable.Rules)
        {
            var answer = await AskAsync(rule, null, "mine-1");
            if ((answer == Answer.Unauthenticated) == rule.IsPublic) wrong.Add($"{rule.Route} by nobody: {answer}");
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));

        async Task ExpectAsync(AccessRule rule, string key, string model, bool isAllowed, string who)
        {
            var answer = await AskAsync(rule, key, model);
            if (answer != (isAllowed ? Answer.Allowed : Answer.Denied)) wrong.Add($"{rule.Route} by {who}: {answer}");
        }
    }

    [ServerTheory]
    [InlineData("GET", "/v2/secret")]
    [InlineData("DELETE", "/v2/models/m")]
    [InlineData("POST", "/v1/models/m/anything")]
    public async Task What_is_not_in_the_table_is_open_to_nobody(string method, string path)
    {
        using var answer = await platform.SendAsync(new HttpMethod(method), path, platform.AdminKey);
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.DoesNotContain(platform.Peer.Requests, r => r.Path == path);
    }

    [ServerFact]
    public async Task An_unknown_path_is_told_what_exists_only_to_those_who_are_known()
    {
        using var known = await platform.SendAsync(HttpMethod.Get, "/v3/nothing", platform.AdminKey);
        Assert.Equal(HttpStatusCode.NotFound, known.StatusCode);
        using var unknown = await platform.SendAsync(HttpMethod.Get, "/v3/nothing", null);
        Assert.Equal(HttpStatusCode.Unauthorized, unknown.StatusCode);
    }

    private enum Answer
    {
        Allowed, Unauthenticated, Denied,
    }

    private async Task<Answer> AskAsync(AccessRule rule, string? key, string model)
    {
        using var request = rule.IsGrpc ? Call(rule, model) : Request(rule, model);
        if (key is not null) request.Headers.Add("x-api-key", key);
        var client = rule.IsGrpc ? platform.Gateway.Http2 : platform.Gateway.Rest;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        // A watch that is let in sends headers and then nothing for long.
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, deadline.Token);
        if (!rule.IsGrpc)
        {
            return response.StatusCode switch
            {
                HttpStatusCode.Unauthorized => Answer.Unauthenticated,
                HttpStatusCode.Forbidden => Answer.Denied,
                _ => Answer.Allowed,
            };
        }

        if (!response.Headers.TryGetValues("grpc-status", out var status) && !rule.Route.EndsWith("Watch", StringComparison.Ordinal))
        {
            await response.Content.CopyToAsync(Stream.Null, deadline.Token);
            response.TrailingHeaders.TryGetValues("grpc-status", out status);
        }

        return (StatusCode)int.Parse(status?.SingleOrDefault() ?? "0", System.Globalization.CultureInfo.InvariantCulture) switch
        {
            StatusCode.Unauthenticated => Answer.Unauthenticated,
            StatusCode.PermissionDenied => Answer.Denied,
            _ => Answer.Allowed,
        };
    }

    private static HttpRequestMessage Request(AccessRule rule, string model)
    {
        var path = rule.Pattern.Replace("{model}", model, StringComparison.Ordinal)
            .Replace("{version}", "1", StringComparison.Ordinal).Replace("{id}", "nobody", StringComparison.Ordinal);
        var request = new HttpRequestMessage(new HttpMethod(rule.Method), path);
        if (rule.Method is "POST" or "PUT") request.Content = new StringContent("{}", null, "application/json");
        if (rule.Pattern == "/invocations") request.Headers.Add(AccessTable.ModelHeader, model);
        return request;
    }

    private static HttpRequestMessage Call(AccessRule rule, string model)
    {
        byte[] message = [];
        if (rule.ModelField.Length > 0) message = Naming(Calls[rule.Route].InputType, rule.ModelField.Split('.'), model).ToByteArray();
        byte[] framed = [0, 0, 0, 0, (byte)message.Length, .. message];
        var content = new ByteArrayContent(framed);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        return new HttpRequestMessage(HttpMethod.Post, rule.Route)
        {
            Content = content,
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { TE = { new TransferCodingWithQualityHeaderValue("trailers") } },
        };
    }

    private static IMessage Naming(MessageDescriptor type, ReadOnlySpan<string> path, string model)
    {
        var message = (IMessage)(Activator.CreateInstance(type.ClrType) ?? throw new InvalidOperationException(type.FullName));
        var field = type.FindFieldByName(path[0]);
        field.Accessor.SetValue(message, path.Length == 1 ? model : Naming(field.MessageType, path[1..], model));
        return message;
    }
}
